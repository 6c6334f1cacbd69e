"""A Postgres server that restarts, fills up, is read-only after a failover, or has no connection left."""

from __future__ import annotations

import functools
import os
import re
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from maskline.pipeline.local.postgres import OWNERS_TABLE
from maskline.postgres.connection import connect
from maskline.postgres.schema import Schema
from tests.awaiting import await_until
from tests.conftest import run_sql
from tests.e2e.job_process import JobProcess
from tests.faults.case import FaultCase, is_marked
from tests.faults.disks import fill, small_disk
from tests.faults.postgres_servers import OwnPostgres, PgBouncer
from tests.faults.postgres_wire import INSERT_SENT, dsn_through
from tests.maskline.postgres.records import connected, run, waiting_for_a_lock
from tests.runbook import heading_for

pytestmark = pytest.mark.slow


class PasswordLogin(NamedTuple):
    """A role that logs in with a password, which libpq reads from a file whenever it connects."""

    case: FaultCase
    role: str
    file: Path

    @property
    def option(self) -> str:
        """What lets a job log in so."""
        dsn = dsn_through(self.case.database_line, self.case.dsn, user=self.role)
        return f"--postgres={make_conninfo(dsn, passfile=str(self.file))}"

    def put_into_file(self, password: str) -> None:
        """Replace the file's password."""
        self.file.write_text(f"*:*:*:*:{password}\n")
        self.file.chmod(0o600)

    def rotate_in_database(self, password: str) -> None:
        """Replace the role's password, and cut its connections."""
        self.case.sql(f"ALTER ROLE {self.role} PASSWORD '{password}'")
        self.case.database_line.cut()


TERMINATE_WAITING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    """A server of this module's own."""
    with tempfile.TemporaryDirectory() as directory, OwnPostgres(Path(directory)) as server:
        yield server
        assert not is_marked(server.log.read_text(errors="replace")), "clear personal data in Postgres' own log"


@pytest.fixture
def case_dsn(own_postgres: OwnPostgres) -> str:
    """A migrated database of the case's own, on that server."""
    name = f"case_{uuid.uuid4().hex}"
    run_sql(own_postgres.dsn("postgres"), f"CREATE DATABASE {name}")
    run_sql(own_postgres.dsn(name), OWNERS_TABLE)
    Schema(functools.partial(connect, own_postgres.dsn(name))).migrate()
    return own_postgres.dsn(name)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_restarted_under_load_costs_nothing_but_time(
    case: FaultCase, own_postgres: OwnPostgres, mode: str, runner_options: list[str]
) -> None:
    case.send(3000, "not JSON")
    job = case.start("--until_empty", *runner_options)
    case.await_outcomes(300)

    with own_postgres.stopped(mode):
        extended = case.sqs.requests["ChangeMessageVisibilityBatch"]
        await_until(lambda: case.sqs.requests["ChangeMessageVisibilityBatch"] > extended, "the job keeps its messages")
    case.fault_ends()

    case.ended_well(job)
    assert "database retries" in job.output
    case.check()


def test_a_server_away_for_a_minute_makes_no_message_come_back(case: FaultCase) -> None:
    hold = case.database_line.hold_at(INSERT_SENT)
    case.send(99, "not JSON")
    job = case.start("--until_empty", "--visibility_timeout_seconds=10")
    hold.await_reached()
    # The rejection has a connection of its own, and may be deleted already.
    await_until(lambda: case.queue.depth().visible == 0, "the job has received them")

    case.database_line.refuse()
    came_back = [message for _ in range(3) for message in case.queue.receive(10, 20, 0)]
    case.database_line.accept()
    case.fault_ends()

    case.ended_well(job)
    assert came_back == []
    assert case.check().redelivered == 0


def test_a_primary_that_is_read_only_after_a_failover_is_waited_for(case: FaultCase, own_postgres: OwnPostgres) -> None:
    case.send(150)
    job = case.start()
    case.await_accounted()
    name = conninfo_to_dict(case.dsn)["dbname"]

    run_sql(case.dsn, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    case.database_line.cut()
    case.send(150)
    await_until(lambda: case.sqs.requests["ChangeMessageVisibilityBatch"] > 0, "the job keeps its messages invisible")
    run_sql(own_postgres.dsn("postgres"), f"ALTER DATABASE {name} RESET ALL")
    case.fault_ends()

    case.await_accounted()
    case.stop(job)
    assert "25006" in job.errors
    assert heading_for(None, job.errors) == "MasklineDatabaseRetries"
    case.check()


def test_a_connection_slot_taken_by_others_is_waited_for(case: FaultCase, as_writer: str) -> None:
    role = as_writer.partition("user=")[2].partition(" ")[0]
    case.send(150)
    job = case.start(as_writer)
    case.await_accounted()

    case.sql(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    case.database_line.cut()
    case.send(150)
    await_until(lambda: case.sqs.requests["ChangeMessageVisibilityBatch"] > 0, "the job keeps its messages invisible")
    case.sql(f"ALTER ROLE {role} CONNECTION LIMIT -1")
    case.fault_ends()

    case.await_accounted()
    case.stop(job)
    assert "too many connections" in job.errors
    case.check()


@pytest.fixture
def with_password(case: FaultCase, own_postgres: OwnPostgres, tmp_path: Path) -> Iterator[PasswordLogin]:
    """A writer's login by a password in a file, as orchestrators mount one."""
    login = PasswordLogin(case, f"writer_{uuid.uuid4().hex}", tmp_path / "pgpass")
    case.sql(f"CREATE ROLE {login.role} LOGIN PASSWORD 'first' IN ROLE maskline_writer")
    login.put_into_file("first")
    own_postgres.ask_for_password(login.role)
    yield login
    case.sql(f"DROP ROLE {login.role}")


def test_a_password_rotated_while_the_job_runs_is_read_again(case: FaultCase, with_password: PasswordLogin) -> None:
    case.send(150)
    job = case.start(with_password.option)
    case.await_accounted()

    with_password.rotate_in_database("rotated-7f3a")
    case.send(150)
    await_until(lambda: "password authentication failed" in job.printed(), "the job has been refused")
    with_password.put_into_file("rotated-7f3a")
    case.fault_ends()

    case.await_accounted()
    case.stop(job)
    assert "rotated-7f3a" not in job.errors
    case.check()


def test_a_password_rotated_for_good_ends_the_job_with_75(case: FaultCase, with_password: PasswordLogin) -> None:
    case.send(150)
    job = case.start(with_password.option, "--db_retry_seconds=2")
    case.await_accounted()

    with_password.rotate_in_database("rotated-7f3a")
    case.send(150)

    assert job.wait() == 75, job.errors
    assert heading_for(75, job.errors) == "Exit code 2"
    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.one_engine
def test_the_life_of_a_pod(case: FaultCase, with_password: PasswordLogin) -> None:
    """Started before its database, a rotated password, a hang, a stop, and a database that is gone for good."""
    case.database_line.refuse()
    job = case.start(with_password.option, "--http_port=0", "--stall_seconds=6")
    _says(job, "the check before the start failed, trying again: .*refused")
    case.database_line.accept()
    _says(job, "Serving a page, metrics and probes at ")
    url = re.search(r"http://127\.0\.0\.1:\d+/", job.errors_so_far())
    assert url is not None
    await_until(lambda: _status(f"{url[0]}ready") == 200, "the job is ready")
    case.send(50)
    case.await_accounted()

    with_password.rotate_in_database("rotated-7f3a")
    case.send(50)
    _says(job, "writing failed, trying again: .*password authentication failed")
    with_password.put_into_file("rotated-7f3a")
    case.await_accounted()

    hold = case.database_line.hold_at(INSERT_SENT)
    case.send(50)
    hold.await_reached()
    case.database_line.hang()
    await_until(lambda: _status(f"{url[0]}live") == 503, "the probe sees it")
    _says(job, r"postgres: an insert has taken [5-9] s so far")
    assert heading_for(None, job.errors_so_far()) == "MasklineStalled"
    case.database_line.resume()
    hold.release()
    case.await_accounted()
    await_until(lambda: _status(f"{url[0]}live") == 200, "it moves again")

    case.stop(job)
    assert "ERROR" not in job.errors

    case.database_line.refuse()
    next_job = case.start(with_password.option, "--db_retry_seconds=1")
    assert next_job.wait() == 75
    assert "the job cannot start now, and took no message" in next_job.failure()
    assert "rotated-7f3a" not in job.errors + next_job.errors
    case.check()


def _says(job: JobProcess, text: str) -> None:
    await_until(lambda: re.search(text, job.errors_so_far()) is not None, f"the log says {text}", 60)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_full_disk_is_waited_for(case: FaultCase, own_postgres: OwnPostgres, server_directory: Path) -> None:
    server_directory.chmod(0o755)
    with small_disk(server_directory / "disk", megabytes=4, owner=own_postgres.owner) as disk:
        space = disk / "space"
        space.mkdir()
        os.chown(space, own_postgres.owner, -1)
        case.sql(f"CREATE TABLESPACE small LOCATION '{space}'", "ALTER TABLE user_logins SET TABLESPACE small")
        job = case.start("--until_empty")
        fill(disk / "ballast")
        case.send(1500)

        await_until(lambda: case.sqs.requests["ChangeMessageVisibilityBatch"] > 0, "the job keeps its messages")
        (disk / "ballast").unlink()
        case.fault_ends()

        case.ended_well(job)
        assert "53100" in job.errors
        assert heading_for(None, job.errors) == "MasklineDatabaseRetries"
        case.check()


def test_a_statement_that_takes_too_long_is_given_up_and_tried_again(case: FaultCase) -> None:
    case.sql(
        "CREATE SEQUENCE inserts",
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF nextval('inserts') = 1 THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END $$",
        "CREATE TRIGGER dawdle BEFORE INSERT ON user_logins EXECUTE FUNCTION dawdle()",
    )
    case.send(150)

    job = case.start("--until_empty", "--visibility_timeout_seconds=10")

    case.ended_well(job)
    assert "57014" in job.errors
    assert case.check().redelivered == 0


@pytest.fixture(params=["transaction", "session"])
def pgbouncer(case: FaultCase, own_postgres: OwnPostgres, request: pytest.FixtureRequest) -> Iterator[PgBouncer]:
    """PgBouncer in front of the case's database, in both modes that the job takes."""
    if PgBouncer.program() is None:
        pytest.skip("PgBouncer is not there; ./run_tests.sh fetches it where apt-get is")
    with (
        tempfile.TemporaryDirectory() as directory,
        PgBouncer(Path(directory), case.dsn, own_postgres.owner, request.param) as server,
    ):
        yield server


def test_behind_pgbouncer_lost_server_connections_cost_no_message(case: FaultCase, pgbouncer: PgBouncer) -> None:
    case.send(3000, "not JSON")

    jobs = [case.start("--until_empty", f"--postgres={pgbouncer.dsn}") for _ in range(2)]
    for enough in (200, 500, 800):
        case.await_outcomes(enough)
        with connected(case.dsn, autocommit=False) as other, connected(case.dsn) as database:
            run(other, "LOCK TABLE user_logins IN EXCLUSIVE MODE")
            await_until(lambda database=database: waiting_for_a_lock(database), "an insert is under way")  # type: ignore[misc]
            run(database, TERMINATE_WAITING)

    for job in jobs:
        case.ended_well(job)
    assert "database retries" in jobs[0].output + jobs[1].output
    case.check()
