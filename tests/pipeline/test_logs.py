"""Logs: one JSON object a line, quiet by default, and no traceback for what the command line says in one line."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import traceback
from collections.abc import Iterator

import pytest
from rich.console import Console

from maskline import __version__
from maskline.errors import DatabaseError
from maskline.pipeline import logs
from maskline.pipeline.logs import PROGRESS_LOGGER, announce, configure_logging, name_run_in_logs


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("warning", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_one_line_of_json(log: io.StringIO) -> None:
    logging.getLogger("maskline.test").warning("two\nlines of %s", "text", extra={"count": 3})

    (line,) = log.getvalue().splitlines()
    event = json.loads(line)
    assert event.pop("time").endswith("+0000")
    assert (event.pop("host"), event.pop("process")) == (socket.gethostname(), os.getpid())
    assert event.pop("version") == __version__
    assert event == {"level": "WARNING", "logger": "maskline.test", "event": "two\nlines of text", "count": 3}


def test_no_level_brings_what_clouds_libraries_send_and_receive(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attribute, value in (("level", logging.NOTSET), ("propagate", True), ("handlers", [])):
        monkeypatch.setattr(logging.getLogger("botocore"), attribute, value)
    stream = io.StringIO()

    configure_logging("debug", stream)
    logging.getLogger("maskline.test").debug("shown")
    logging.getLogger("botocore.parsers").debug("Response body: 203.0.113.7")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["shown"]


def test_packages_that_beam_finds_missing_are_not_complained_of(log: io.StringIO) -> None:
    logging.warning("apitools not found, and bigquery client libraries are not available.")
    logging.getLogger("apache_beam.io.mongodbio").warning("Could not find a compatible bson package.")
    logging.getLogger("apache_beam.io.mongodbio").warning("something else")

    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()] == ["something else"]


def test_it_is_quiet_by_default_but_for_progress(log: io.StringIO) -> None:
    logging.getLogger("maskline.test").info("hidden")
    logging.getLogger("apache_beam").info("hidden")
    logging.getLogger(PROGRESS_LOGGER).info("shown")

    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()] == ["shown"]


def test_an_error_of_ours_is_left_to_the_command_line(log: io.StringIO) -> None:
    try:
        raise DatabaseError("no table")
    except DatabaseError:
        logging.getLogger("apache_beam.runners.common").exception("no table [while running 'Write rows']")

    assert log.getvalue() == ""


def test_a_record_that_quotes_the_traceback_of_one_is_left_to_it_too(log: io.StringIO) -> None:
    try:
        raise DatabaseError("no table")
    except DatabaseError:
        quoted = traceback.format_exc()

    logging.getLogger("apache_beam.runners.worker.sdk_worker").error("Original traceback is\n%s\n", quoted)

    assert log.getvalue() == ""


def test_any_other_error_is_shown_with_its_traceback(log: io.StringIO) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logging.getLogger("apache_beam.runners.common").exception("a defect")

    assert "ZeroDivisionError" in json.loads(log.getvalue())["exc_info"]


def test_every_record_says_whose_run_it_is_of(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_run_fields", {})
    name_run_in_logs("user_logins", "logins")

    logging.getLogger("apache_beam").warning("of a library")

    event = json.loads(log.getvalue())
    assert (event["stream"], event["queue"]) == ("user_logins", "logins")


def test_the_record_with_the_exit_code_is_the_last_whatever_a_runner_says_at_the_end(log: io.StringIO) -> None:
    logging.getLogger("apache_beam.runners.worker.data_plane").error("Failed to read inputs in the data plane.")
    logging.getLogger("maskline").error("postgres: cannot be reached", extra={"exit_code": 75})
    logging.getLogger("apache_beam.runners.worker.data_plane").error("Failed to read inputs in the data plane.")

    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["Failed to read inputs in the data plane.", "postgres: cannot be reached"]


@pytest.mark.parametrize("name", ["apache_beam.runners.worker", None, "FlinkJarJobServer", "alembic.runtime.migration"])
@pytest.mark.parametrize(("level", "shown"), [("info", ["ours", "warned"]), ("debug", ["of Beam", "ours", "warned"])])
def test_beam_its_job_server_and_libraries_are_quiet_at_info_and_talk_at_debug(
    name: str | None, level: str, shown: list[str]
) -> None:
    root = logging.getLogger()
    handlers, before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(level, stream)

    logging.getLogger(name).info("of Beam")
    logging.getLogger("maskline.test").info("ours")
    logging.getLogger("apache_beam.runners.worker").warning("warned")

    root.handlers[:] = handlers
    root.setLevel(before)
    logging.getLogger("apache_beam").setLevel(logging.NOTSET)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == shown


def test_what_a_start_announces_is_a_record_where_there_is_no_terminal(log: io.StringIO) -> None:
    screen, file = io.StringIO(), io.StringIO()

    announce("Running.", Console(file=screen, force_terminal=True))
    announce("Running.", Console(file=file))

    assert screen.getvalue() == "Running.\n"
    assert file.getvalue() == ""
    assert json.loads(log.getvalue())["event"] == "Running."
