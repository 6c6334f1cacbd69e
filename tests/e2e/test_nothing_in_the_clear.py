"""Clear personal data exist only in the queue and in worker memory: searched for in every file that a run leaves."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest

from maskline.keys import KeysetUri
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.samples import Samples
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import load_stream
from tests.beam_graph import graph_bytes
from tests.e2e.job_process import JobProcess

LEAST_LENGTH = 9
"""Shorter samples ("1.2.3.4") would be found by chance among megabytes of other data."""


@pytest.fixture(scope="module")
def local_run() -> Iterator[tuple[JobProcess, Path]]:
    """A finished local run and its data directory."""
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "data"
        run = JobProcess(["local", "--messages=200", f"--data_directory={directory}", "--log_level=debug"])
        assert run.wait() == 0, run.errors
        yield run, directory


@pytest.fixture(scope="module")
def personal_data() -> list[bytes]:
    """The IPs and device ids of the messages that were sent."""
    messages = [json.loads(body) for body in Samples().bodies(0, 200)]
    values = {message[field] for message in messages if "ip" in message for field in ("ip", "device_id")}
    return [value.encode() for value in values if len(value) >= LEAST_LENGTH]


def test_no_file_of_a_run_holds_a_clear_value(local_run: tuple[JobProcess, Path], personal_data: list[bytes]) -> None:
    _, directory = local_run

    found = [path for path, content in _files(directory) if any(value in content for value in personal_data)]

    assert found == []


def test_no_output_of_a_run_holds_a_clear_value(local_run: tuple[JobProcess, Path], personal_data: list[bytes]) -> None:
    run, _ = local_run

    printed = (run.output + run.errors).encode()

    assert [value for value in personal_data if value in printed] == []


def test_the_search_finds_what_it_should(local_run: tuple[JobProcess, Path]) -> None:
    _, directory = local_run
    first = json.loads(Samples().body(0))["user_id"].encode()

    found = {path.relative_to(directory).parts[0] for path, content in _files(directory) if first in content}

    assert found == {"postgres"}


def test_the_job_graph_holds_no_key_and_no_data(keyset_uri: str, dsn: str) -> None:
    key = json.loads(Path(keyset_uri.removeprefix("file:")).read_text())["key"][0]["keyData"]["value"]
    pipeline = beam.Pipeline(runner="FnApiRunner")
    build(
        pipeline,
        JobSettings(
            load_stream("user_logins"),
            QueueAddress("logins", "http://127.0.0.1:1"),
            PostgresDsn.parse(dsn),
            KeysetUri.parse(keyset_uri),
        ),
    )

    graph = graph_bytes(pipeline)

    assert keyset_uri.encode() in graph
    assert key.encode() not in graph
    assert key.encode()[8:40] not in graph


def _files(directory: Path) -> Iterator[tuple[Path, bytes]]:
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_socket():
            yield path, path.read_bytes()
