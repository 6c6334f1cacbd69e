"""A commit counts when it is as durable as the server can make it, however the server is set up."""

from __future__ import annotations

import functools
import itertools
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from maskline.pipeline.local.postgres import OWNERS_TABLE
from maskline.postgres.connection import connect
from maskline.postgres.schema import Schema
from tests.awaiting import await_until
from tests.conftest import run_sql
from tests.faults.case import FaultCase
from tests.faults.postgres_servers import OwnPostgres
from tests.maskline.postgres.records import connected, value_of

pytestmark = pytest.mark.slow

WAITING_FOR_A_STANDBY = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'maskline'"
)


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    """A server of this module's own, which writes a commit nobody waits for to the disk after ten seconds."""
    with tempfile.TemporaryDirectory() as directory, OwnPostgres(Path(directory)) as server:
        configure(server, "SET wal_writer_delay = '10s'")
        yield server


@pytest.fixture
def case_dsn(own_postgres: OwnPostgres) -> Iterator[str]:
    """A migrated database of the case's own, on that server, whose synchronous standby is taken away afterwards."""
    name = f"case_{uuid.uuid4().hex}"
    run_sql(own_postgres.dsn("postgres"), f"CREATE DATABASE {name}")
    run_sql(own_postgres.dsn(name), OWNERS_TABLE)
    Schema(functools.partial(connect, own_postgres.dsn(name))).migrate()
    yield own_postgres.dsn(name)
    configure(own_postgres, "RESET synchronous_standby_names")


def configure(server: OwnPostgres, setting: str) -> None:
    """Change a setting of the server."""
    run_sql(server.dsn("postgres"), f"ALTER SYSTEM {setting}")
    run_sql(server.dsn("postgres"), "SELECT pg_reload_conf()")


def test_rows_are_there_after_a_crash_though_the_database_commits_asynchronously(
    case: FaultCase, own_postgres: OwnPostgres
) -> None:
    name = conninfo_to_dict(case.dsn)["dbname"]
    run_sql(own_postgres.dsn("postgres"), f"ALTER DATABASE {name} SET synchronous_commit = off")
    job = case.start()
    case.send(150, "not JSON")
    case.await_accounted()

    with own_postgres.stopped("immediate"):
        pass
    case.fault_ends()

    case.stop(job)
    case.check()


def test_without_its_synchronous_standby_the_job_ends_in_time_and_deletes_nothing(
    case: FaultCase, own_postgres: OwnPostgres
) -> None:
    configure(own_postgres, "SET synchronous_standby_names = 'gone'")
    case.send(50)

    job = case.start("--db_retry_seconds=5")

    assert job.wait(60) == 75
    assert job.failure().startswith("postgres: ")
    assert "Traceback" not in job.errors
    assert case.sqs.requests["DeleteMessageBatch"] == 0
    assert case.queue.depth().total == 50
    configure(own_postgres, "RESET synchronous_standby_names")
    case.fault_ends()
    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.parametrize(
    ("ends_it", "says"),
    [
        ("pg_terminate_backend", "trying again: "),
        ("pg_cancel_backend", "the commit is not confirmed: its synchronous standby did not answer"),
    ],
    ids=["pg_terminate_backend", "pg_cancel_backend"],
)
def test_a_wait_for_the_standby_that_somebody_ends_is_no_commit(
    case: FaultCase, own_postgres: OwnPostgres, ends_it: str, says: str
) -> None:
    configure(own_postgres, "SET synchronous_standby_names = 'gone'")
    job = case.start()
    case.send(50)

    with connected(own_postgres.dsn("postgres")) as operator:
        ended = itertools.accumulate(
            value_of(operator, WAITING_FOR_A_STANDBY.replace("count(*)", f"count({ends_it}(pid))"))
            for _ in itertools.count()
        )
        # The first are waits for the entries of keys and columns.
        await_until(lambda: next(ended) >= 8 and says in job.errors_so_far(), f"the job says {says!r}")

    assert case.sqs.requests["DeleteMessageBatch"] == 0
    configure(own_postgres, "RESET synchronous_standby_names")
    case.fault_ends()
    case.await_accounted()
    case.stop(job)
    case.check()
