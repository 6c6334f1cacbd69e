"""Databases as people have them: a job says what stands in its way before it takes a message, or writes past it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from maskline.postgres.connection import Connection
from maskline.sqs import SqsQueue
from tests.conftest import run_sql
from tests.e2e.conftest import Ledger, StartJob, login
from tests.maskline.postgres.records import rows_of, value_of

REDIRECTED = """
CREATE TABLE user_logins_2026 () INHERITS (user_logins);
CREATE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO user_logins_2026 VALUES (NEW.*); RETURN NULL; END';
CREATE TRIGGER redirect BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION redirect()
"""
GENERATED = """
ALTER TABLE user_logins DROP COLUMN locale;
ALTER TABLE user_logins ADD COLUMN locale varchar(32) GENERATED ALWAYS AS ('RU') STORED
"""
ONLY_PHONES = """
ALTER TABLE user_logins ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON user_logins FOR INSERT WITH CHECK (device_type <> 'Windows')
"""
SEQUENCE_NEAR_ITS_END = """
ALTER TABLE user_logins ADD COLUMN id serial;
GRANT USAGE ON SEQUENCE user_logins_id_seq TO maskline_writer;
SELECT setval('user_logins_id_seq', 2147483644)
"""


@pytest.fixture
def as_writer(dsn: str) -> Iterator[str]:
    """The option that lets a job log in with the permissions of ``maskline_writer`` alone: policies hold for it."""
    role = f"writer_{uuid.uuid4().hex}"
    run_sql(dsn, f"CREATE ROLE {role} LOGIN IN ROLE maskline_writer")
    yield f"--postgres={make_conninfo(dsn, user=role)}"
    run_sql(dsn, f"DROP ROLE {role}")


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (REDIRECTED, "table user_logins has tables that inherit from it"),
        (GENERATED, "column user_logins.locale is a generated column, which takes no value"),
    ],
    ids=["inherits", "generated"],
)
def test_a_table_that_rows_cannot_be_counted_in_is_refused_before_a_message_is_taken(
    start_job: StartJob, queue: SqsQueue, dsn: str, command: str, change: str, problem: str
) -> None:
    run_sql(dsn, change)
    queue.send([login(1)])

    job = start_job(command=command)

    assert job.wait() == 2
    assert problem in job.output + job.errors
    assert "Traceback" not in job.errors
    (message,) = queue.receive(10, 0, 0)
    assert message.receive_count == 1


def test_a_row_that_a_policy_does_not_let_in_is_rejected_and_the_others_are_written(
    start_job: StartJob, queue: SqsQueue, dsn: str, database: Connection, ledger: Ledger, as_writer: str
) -> None:
    run_sql(dsn, ONLY_PHONES)
    sent = queue.send([login(1), login(2, device_type="Windows"), login(3)])

    job = start_job("--until_empty", as_writer)

    assert job.wait() == 0, job.errors
    ledger.check(sent)
    assert rows_of(database, "SELECT message_id::text, detail FROM rejected_messages") == [
        (sent[1], "42501 insufficient_privilege")
    ]


def test_a_sequence_at_its_end_stops_the_job_with_one_line_and_rejects_nothing(
    start_job: StartJob, queue: SqsQueue, dsn: str, database: Connection
) -> None:
    run_sql(dsn, SEQUENCE_NEAR_ITS_END)
    queue.send([login(number) for number in range(20)])

    job = start_job("--until_empty")

    assert job.wait() == 1
    assert "a sequence of the table is at its end" in job.errors.splitlines()[-1]
    assert "Traceback" not in job.errors
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 0
    rows = value_of(database, "SELECT count(*) FROM user_logins")
    assert rows == value_of(database, "SELECT count(*) FROM maskline_outcomes")
    assert rows + queue.depth().total >= 20


def test_a_search_path_in_the_data_source_name_finds_the_owners_table(
    start_job: StartJob, queue: SqsQueue, dsn: str, database: Connection
) -> None:
    run_sql(dsn, "CREATE SCHEMA app; ALTER TABLE user_logins SET SCHEMA app")
    sent = queue.send([login(1)])

    job = start_job("--until_empty", f"--postgres={make_conninfo(dsn, options='-csearch_path=app,public')}")

    assert job.wait() == 0, job.errors
    assert rows_of(database, "SELECT message_id::text FROM app.user_logins") == [(sent[0],)]
