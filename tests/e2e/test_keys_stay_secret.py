"""No key byte leaves the keyset's own place: not in a graph, an option, a log, an error or a temporary file."""

from __future__ import annotations

import base64
import signal
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest

from maskline.keys import KeysetUri, StoredKeyset, keyset_provider, open_keyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_store import store_keyset
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.connection import Connection
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress, SqsQueue
from maskline.streams.definition import load_stream
from tests.awaiting import await_until
from tests.aws_emulation import EmulatedAws
from tests.beam_graph import graph_bytes
from tests.e2e.conftest import WRONG_TYPE, Ledger, login
from tests.e2e.job_process import JobProcess
from tests.maskline.key_traces import files_with, holds, keys_of, traces
from tests.maskline.postgres.records import run

Start = Callable[..., JobProcess]


@pytest.fixture
def sought(stored_keyset: StoredKeyset) -> set[bytes]:
    """What must be found nowhere."""
    (key,) = keys_of(stored_keyset.content)
    return traces(key)


@pytest.fixture
def wrapped_uri(stored_keyset: StoredKeyset, aws: EmulatedAws, tmp_path: Path) -> str:
    """The same keyset, encrypted by a KMS key."""
    provider = keyset_provider(f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path / 'wrapped.json'}")
    store_keyset(keyset_handle(stored_keyset), provider)
    return provider.uri


@pytest.fixture(params=["in a file", "encrypted by KMS"])
def uri(request: pytest.FixtureRequest) -> str:
    """The URI of the keyset, in a file in clear, and then encrypted by KMS."""
    name = "keyset_uri" if request.param == "in a file" else "wrapped_uri"
    return str(request.getfixturevalue(name))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where all temporary and all other files of a job go."""
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def start(job_options: list[str], home: Path, request: pytest.FixtureRequest) -> Start:
    """Start a job that logs all it knows and keeps its files in `home`."""
    environment = {"TMPDIR": str(home), "HOME": str(home), "XDG_CACHE_HOME": str(home)}

    def start_job(uri: str, *options: str) -> JobProcess:
        arguments = ["run", *job_options, f"--keyset={uri}", "--log_level=debug", *options]
        process = JobProcess(arguments, environment)
        request.addfinalizer(process.kill)
        return process

    return start_job


def test_nothing_of_a_run_holds_a_key(
    start: Start, uri: str, queue: SqsQueue, ledger: Ledger, home: Path, sought: set[bytes]
) -> None:
    sent = queue.send([login(1), login(2), WRONG_TYPE])

    job = start(uri, "--until_empty")

    assert job.wait() == 0, job.errors
    ledger.check(sent)
    assert not holds((job.output + job.errors).encode(), sought)
    assert files_with(home, sought) == []


def test_nothing_of_a_run_that_was_killed_holds_a_key(
    start: Start, uri: str, queue: SqsQueue, ledger: Ledger, home: Path, sought: set[bytes]
) -> None:
    queue.send([login(1)])
    job = start(uri)
    await_until(lambda: len(ledger.rows()) == 1, "the job works")

    job.send_signal(signal.SIGKILL)
    job.wait()

    assert not holds((job.output + job.errors).encode(), sought)
    assert files_with(home, sought) == []


@pytest.mark.slow
def test_nothing_of_a_run_that_failed_holds_a_key(
    start: Start, keyset_uri: str, queue: SqsQueue, database: Connection, home: Path, sought: set[bytes]
) -> None:
    run(database, "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DROP TABLE gone; END'")
    run(database, "CREATE TRIGGER fail BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION fail()")
    queue.send([login(1)])

    job = start(keyset_uri)

    assert job.wait() == 2
    assert "42P01 undefined_table" in job.errors
    assert not holds((job.output + job.errors).encode(), sought)
    assert files_with(home, sought) == []


def test_the_job_graph_holds_no_key(uri: str, dsn: str, sought: set[bytes]) -> None:
    pipeline = beam.Pipeline(runner="FnApiRunner")
    build(
        pipeline,
        JobSettings(
            load_stream("user_logins"),
            QueueAddress("logins", "http://127.0.0.1:1"),
            PostgresDsn.parse(dsn),
            KeysetUri.parse(uri),
        ),
    )

    graph = graph_bytes(pipeline)

    assert uri.encode() in graph
    assert not holds(graph, sought)


def test_what_would_cross_an_engine_as_a_side_input_holds_no_key_where_kms_encrypts_it(
    wrapped_uri: str, stored_keyset: StoredKeyset, sought: set[bytes]
) -> None:
    side_input = keyset_provider(wrapped_uri).fetch()

    assert not holds(side_input.content, sought)
    assert open_keyset(side_input).encrypt(b"v", b"d") == open_keyset(stored_keyset).encrypt(b"v", b"d")


@pytest.mark.parametrize(
    "write",
    [bytes, lambda key: key.hex().encode(), lambda key: repr(key).encode(), base64.b64encode, base64.urlsafe_b64encode],
    ids=["raw", "digits", "repr", "base64", "base64url"],
)
@pytest.mark.parametrize("before", [b"", b"x", b"xy"])
def test_the_search_finds_what_it_should(
    stored_keyset: StoredKeyset, sought: set[bytes], write: Callable[[bytes], bytes], before: bytes
) -> None:
    (key,) = keys_of(stored_keyset.content)

    assert holds(b"... " + write(before + key + b"after") + b" ...", sought)
    assert not holds(write(before + bytes(64)), sought)


def test_the_search_finds_a_keyset_file(keyset_uri: str, tmp_path: Path, sought: set[bytes]) -> None:
    assert files_with(tmp_path, sought) == [Path(keyset_uri.removeprefix("file:"))]
