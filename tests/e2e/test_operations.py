"""Faults of a job, each with the heading of docs/operations.md to which its last line leads whoever reads it."""

from __future__ import annotations

from pathlib import Path

from psycopg.conninfo import make_conninfo

from maskline.keys import Keyset, create_keyset
from maskline.keys.files import FileKeyset
from maskline.sqs import SqsQueue
from tests.conftest import run_sql
from tests.e2e.conftest import StartJob, login
from tests.faults.postgres_wire import dsn_through, postgres_connect
from tests.faults.tcp_proxy import TcpProxy
from tests.maskline.postgres.masked_rows import write_masked
from tests.runbook import heading_for

ONE_PARTITION = """
ALTER TABLE user_logins RENAME TO before;
CREATE TABLE user_logins (LIKE before INCLUDING DEFAULTS) PARTITION BY LIST (locale);
CREATE TABLE user_logins_ru PARTITION OF user_logins FOR VALUES IN ('RU')
"""


def test_a_keyset_that_made_none_of_the_rows(start_job: StartJob, dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    write_masked(dsn, keyset, [login(1), login(2)])
    other = FileKeyset(tmp_path / "other.json")
    other.create(create_keyset())

    job = start_job(f"--keyset={other.uri}")

    assert heading_for(job.wait(), job.errors) == "Exit code 2"
    assert "none of the keys that this database's rows were masked under" in job.failure()


def test_a_database_without_tls_where_that_is_demanded(start_job: StartJob, dsn: str) -> None:
    with TcpProxy(postgres_connect(dsn)) as line:
        by_port = make_conninfo(dsn_through(line, dsn), sslmode="require")
        job = start_job(f"--postgres={by_port}", "--require_tls")

        exit_code = job.wait()

    assert heading_for(exit_code, job.errors) == "Exit code 2"
    assert "server does not support SSL" in job.failure()


def test_a_table_without_a_partition_for_a_row(start_job: StartJob, queue: SqsQueue, dsn: str) -> None:
    run_sql(dsn, ONE_PARTITION)
    queue.send([login(1, locale="DE")])
    job = start_job("--until_empty")

    exit_code = job.wait()

    assert heading_for(exit_code, job.errors) == "Exit code 1"
    assert "the table has no partition for a row" in job.failure()
