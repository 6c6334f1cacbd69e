"""Real parts for the tests: one embedded Postgres, SQS API and AWS API a session, a database and a queue a test.

It marks the tests that need none of them, too: ``pytest -m unit``.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import create_loader

from benchmarks.servers.elasticmq import ElasticMq
from maskline.keys import Keyset, StoredKeyset, create_keyset, open_keyset
from maskline.keys.files import FileKeyset
from maskline.pipeline.local.postgres import OWNERS_TABLE, EmbeddedPostgres
from maskline.pipeline.local.sqs import CREDENTIALS, EmbeddedSqs
from maskline.postgres.connection import Connection, connect, open_connection
from maskline.postgres.schema import Schema
from maskline.sqs import QueueAddress, SqsQueue
from maskline.streams.definition import StreamDefinition, load_stream
from tests.aws_emulation import EmulatedAws
from tests.debian_postgres import DebianPostgres
from tests.distribution import FileScheduling, rank
from tests.maskline.stored_tokens import stored_values
from tests.tiers import is_unit_test

MIGRATED, UNMIGRATED = "maskline_template", "owners_template"
"""The databases of which every test gets a copy."""
PRISM = Path(os.environ.get("PRISM_LOCATION", Path(__file__).parents[1] / ".cache" / "prism" / "prism"))
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the data of servers lie that are not to wait for a disk; the job refuses a server without fsync."""
_one_loader = functools.cache(create_loader)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the examples of properties, and hear Ctrl-C, which a shell has what it starts in the background ignore."""
    from hypothesis import HealthCheck, settings  # here, for `python -m tests.faults` imports this before pytest starts

    slow_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("search", slow_machine)
    # A change is judged by the same examples as the one before it; new ones are looked for with --hypothesis-profile.
    settings.register_profile("suite", slow_machine, derandomize=True)
    settings.load_profile(config.getoption("--hypothesis-profile") or "suite")
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before pytest's own looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is of the tier ``unit``, and have what takes long come first."""
    items.sort(key=lambda item: rank(item.path))
    for item in items:
        if is_unit_test(item):
            item.add_marker("unit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Close what connections a test has left open, in a writer say, which psycopg would warn of when it finds them."""
    opened: list[Connection] = []
    make = Connection.__init__

    def make_and_keep(connection: Connection, *arguments: Any, **options: Any) -> None:
        make(connection, *arguments, **options)
        opened.append(connection)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Connection, "__init__", make_and_keep)
            yield
    finally:
        for connection in opened:
            connection.close()


@pytest.hookimpl(optionalhook=True)  # -p no:xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have what shares a fixture run in one process, where ``--dist loadfile`` asks for that."""
    return FileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def _no_server_in_a_unit_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a unit test that starts a server after all: it belongs to another tier."""
    if request.node.get_closest_marker("unit") is None:
        return

    def fail(*_: object) -> None:
        pytest.fail("a unit test starts a server; ask for a fixture of tests.tiers.SERVERS, or mark it heavy")

    for server in (EmbeddedPostgres, EmbeddedSqs, EmulatedAws):
        monkeypatch.setattr(server, "__enter__", fail)


@pytest.fixture(autouse=True)
def _person_at_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a command that runs in the test's own process speak to a person; a child process speaks to a log."""
    for module in ("printing", "cli"):
        monkeypatch.setattr(f"maskline.pipeline.{module}.is_error_terminal", lambda: True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A Postgres server with a template of a migrated database, and one of what the owner made alone."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory, EmbeddedPostgres(Path(directory) / "data") as server:
        # Its transactions hold publications to the lake back for a moment: tests open such transactions themselves.
        run_sql(server.dsn("postgres"), "ALTER SYSTEM SET autovacuum = off")
        run_sql(server.dsn("postgres"), "SELECT pg_reload_conf()")
        for template in (MIGRATED, UNMIGRATED):
            run_sql(server.dsn("postgres"), f"CREATE DATABASE {template}")
            run_sql(server.dsn(template), OWNERS_TABLE)
        Schema(functools.partial(connect, server.dsn(MIGRATED))).migrate()
        yield server


@pytest.fixture(scope="session")
def administrator(postgres: EmbeddedPostgres) -> Iterator[Connection]:
    """A connection that makes and drops the databases of the tests."""
    connection = open_connection(postgres.dsn("postgres"))
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def postgres15() -> Iterator[DebianPostgres]:
    """A PostgreSQL 15 as Debian has it, where that is installed."""
    missing = DebianPostgres.why_it_cannot_start()
    if missing is not None:
        pytest.skip(missing)
    with tempfile.TemporaryDirectory() as directory, DebianPostgres(Path(directory)) as server:
        yield server


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """A directory for the data of a Postgres server.

    It is not in pytest's own: every pytest session closes that to other users, and, started by root, Postgres runs as
    another user.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        yield Path(directory)


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, administrator: Connection, stored_keyset: StoredKeyset) -> Iterator[str]:
    """A migrated database of the test's own, as a data source name; all tokens in it are checked when the test is over.

    Each that a key of `stored_keyset` made has to be what both Tink and pycryptodome give, byte for byte.
    """
    with copy_of(MIGRATED, administrator) as name:
        yield postgres.dsn(name)
        stored_values(postgres.dsn(name), stored_keyset)


@pytest.fixture
def unmigrated_dsn(postgres: EmbeddedPostgres, administrator: Connection) -> Iterator[str]:
    """A database of the test's own with ``user_logins`` as its owner made it, and nothing else."""
    with copy_of(UNMIGRATED, administrator) as name:
        yield postgres.dsn(name)


@pytest.fixture
def database(dsn: str) -> Iterator[Connection]:
    """A connection to the migrated database, every statement a transaction."""
    connection = open_connection(dsn)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def sqs() -> Iterator[EmbeddedSqs]:
    """An SQS API over HTTP, and in the environment the credentials it takes."""
    before = dict(os.environ)
    os.environ.update(CREDENTIALS)
    with EmbeddedSqs() as server:
        yield server
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def elasticmq(tmp_path_factory: pytest.TempPathFactory, sqs: EmbeddedSqs) -> Iterator[ElasticMq]:
    """ElasticMQ, where its jars and a Java are; `sqs` puts credentials into the environment."""
    missing = ElasticMq.why_it_cannot_start()
    if missing is not None:
        pytest.skip(missing)
    with ElasticMq(tmp_path_factory.mktemp("elasticmq")) as server:
        yield server


@pytest.fixture
def queue(sqs: EmbeddedSqs) -> SqsQueue:
    """An empty queue of the test's own."""
    address = QueueAddress(sqs.create_queue(f"test-{uuid.uuid4().hex}"), sqs.endpoint)
    return SqsQueue.open(address)


@pytest.fixture
def queue_address(queue: SqsQueue, sqs: EmbeddedSqs) -> QueueAddress:
    """Where `queue` is."""
    return QueueAddress(queue.url, sqs.endpoint)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[EmulatedAws]:
    """KMS, S3, Secrets Manager and IAM over HTTP. A test takes `aws`, which leads its process there, too."""
    with EmulatedAws() as server:
        yield server


@pytest.fixture
def aws(aws_server: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> EmulatedAws:
    """The same, and in the environment of the test (and of the processes it starts) the way there."""
    # botocore would read its descriptions of the services for every client anew, which takes longer than the tests.
    monkeypatch.setattr("botocore.session.create_loader", _one_loader)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in aws_server.environment.items():
        monkeypatch.setenv(name, value)
    return aws_server


@pytest.fixture(scope="session")
def stored_keyset() -> StoredKeyset:
    """A keyset as a provider would give it."""
    return StoredKeyset(create_keyset(), "test:keyset")


@pytest.fixture(scope="session")
def keyset(stored_keyset: StoredKeyset) -> Keyset:
    """The same keyset, opened."""
    return open_keyset(stored_keyset)


@pytest.fixture
def keyset_uri(stored_keyset: StoredKeyset, tmp_path: Path) -> str:
    """The same keyset in a file, as a URI."""
    provider = FileKeyset(tmp_path / "keyset.json")
    provider.create(stored_keyset.content)
    return provider.uri


@pytest.fixture(scope="session")
def user_logins() -> StreamDefinition:
    """The stream that comes with maskline."""
    return load_stream("user_logins")


@pytest.fixture
def nobodys_port() -> Iterator[int]:
    """A port of loopback at which nobody listens, nor can meanwhile, for it is bound."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@pytest.fixture(params=["FnApiRunner", pytest.param("Prism", marks=pytest.mark.prism)])
def runner_options(request: pytest.FixtureRequest) -> list[str]:
    """What makes DirectRunner use one engine, and then the other."""
    return [] if request.param == "FnApiRunner" else prism_options()


def prism_options() -> list[str]:
    """Return what makes DirectRunner use Prism; skip the test where its binary is not."""
    if not PRISM.exists():
        pytest.skip(f"Prism is not there: {PRISM} is missing; ./run_tests.sh builds it where Go is installed")
    return [f"--prism_location={PRISM}"]


@contextlib.contextmanager
def copy_of(template: str, administrator: Connection) -> Iterator[str]:
    """Give a database that is a copy of a template, and drop it.

    Args:
        template: The database that is copied. Nobody may be connected to it.
        administrator: A connection to another database of the server.
    """
    name = f"test_{uuid.uuid4().hex}"
    with administrator.cursor() as cursor:
        # Files are copied in half the time that it takes to write all pages into the write-ahead log.
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield name
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run_sql(dsn: str, statement: str) -> None:
    """Run one statement over a connection of its own, outside a transaction."""
    connection = open_connection(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
