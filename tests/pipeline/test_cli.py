"""The command line: help that says what there is, and one line and an exit code for every error of a user."""

from __future__ import annotations

import errno
import json
import logging
import subprocess
import sys

import pytest

from maskline.pipeline.cli import COMMANDS, main
from tests.e2e.job_process import PROJECT

COMPLAINING_AT_EXIT = """
import atexit, logging, sys
from maskline.pipeline.cli import run

def complain():
    logging.getLogger("apache_beam").error("Failed to read inputs in the data plane.")
    print("Exception in thread read_grpc_client_inputs", file=sys.stderr)

atexit.register(complain)
run()
"""


def test_without_a_command_the_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main([])

    shown = capsys.readouterr().out
    assert exit_code == 2
    assert [command for command in COMMANDS if f"  {command} " not in shown] == []


def test_the_help_groups_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])

    headings = [line for line in capsys.readouterr().out.splitlines() if line.endswith(":")]
    assert headings[:5] == ["Try it:", "Run it:", "Look after the data:", "Keys:", "Data lake:"]


def test_an_unknown_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["chekc"])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: command 'chekc' is not known; did you mean check? see: maskline --help\n"
    )


def test_an_unknown_command_that_none_is_near_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["xyzzy"])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: command 'xyzzy' is not known; known: local, init, flink, streams, ddl, migrate, check, run, "
        "rejects, unmask, find, mask, erase, retain, leakage, keys, remask, lake; see: maskline --help\n"
    )


def test_an_unknown_option_is_one_line_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["migrate", "--postgrse=secret"])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: unknown option --postgrse; did you mean --postgres? see: maskline migrate --help\n"
    )


@pytest.mark.parametrize(
    ("given", "meant"), [("--until_emtpy", "--until_empty"), ("--prism-locaton", "--prism_location")]
)
def test_an_unknown_option_of_run_suggests_the_nearest_of_ours_and_beams(
    given: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(["run", given])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        f"maskline: unknown option {given}; did you mean {meant}? see: maskline run --help\n"
    )


def test_an_unknown_variable_is_a_line_and_the_command_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKLINE_POSTGERS", "postgresql://secret")

    exit_code = main(["ddl"])

    printed = capsys.readouterr()
    assert exit_code == 0
    assert printed.out.startswith("CREATE TABLE")
    assert printed.err == (
        "maskline: MASKLINE_POSTGERS: no option has this variable, so it does nothing; did you mean "
        "MASKLINE_POSTGRES?\n"
    )


def test_publish_is_taken_for_lake_publish_with_one_line_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["publish"])

    assert exit_code == 2
    assert capsys.readouterr().err.splitlines() == [
        "maskline: publish is now lake publish; the old name goes in the next release",
        "maskline: lake: missing; give --lake_opaque or --lake_clear, or both (or MASKLINE_LAKE_OPAQUE, …)",
    ]


def test_an_error_with_a_remedy_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["keys", "list", "--keyset=file:/absent"])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: keyset file:/absent: No such file or directory; run: maskline keys create --keyset URI\n"
    )


@pytest.mark.parametrize("place", [["--log_level=debug", "list"], ["list", "--log_level=debug"]])
def test_the_log_level_can_stand_before_an_action_and_behind_it(place: list[str]) -> None:
    main(["keys", *place, "--keyset=file:/absent"])

    assert logging.getLogger().level == logging.DEBUG


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([command, "--help"])

    shown = capsys.readouterr().out
    assert leaving.value.code == 0
    assert shown.startswith(f"usage: maskline {command}")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_line_that_names_the_file(
    error: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(error, "No space", "/var/tmp/spool")

    monkeypatch.setattr("maskline.pipeline.commands.ddl.main", fail)

    assert main(["ddl"]) == 1
    assert capsys.readouterr().err == (
        "maskline: /var/tmp/spool cannot be written (No space); make room, and run it again\n"
    )


def test_another_error_of_the_system_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("maskline.pipeline.commands.ddl.main", fail)

    with pytest.raises(OSError, match="Input/output error"):
        main(["ddl"])


@pytest.mark.heavy
def test_what_a_failed_command_says_last_is_why_it_failed() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", COMPLAINING_AT_EXIT, "keys", "list", "--keyset=file:/absent"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    last = json.loads(line)
    assert (last["level"], last["exit_code"]) == ("ERROR", 2)
    assert last["event"].startswith("keyset file:/absent: No such file or directory")
