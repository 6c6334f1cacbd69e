"""A row is rejected only where the cause can be in its message; what is the table's own stops the job."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator

import pytest

from maskline.errors import DatabaseError, DatabaseUnavailableError, TableError
from maskline.postgres.connection import Connection, connect, open_connection
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow
from maskline.streams.definition import StreamDefinition
from tests.maskline.postgres.records import message_id, rejection, row, rows_of, run, value_of
from tests.runbook import heading_for

DROP_ALL = """
CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION drop_it()
"""
DROP_GERMAN = """
CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t BEFORE INSERT ON user_logins FOR EACH ROW WHEN (NEW.locale = 'DE') EXECUTE FUNCTION drop_it()
"""
SWALLOWED = "MK001 a trigger or a rule of the table swallowed it"
RAISE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.locale = 'DE' THEN
        RAISE EXCEPTION 'no %', NEW.user_id USING ERRCODE = '{code}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER t BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION refuse()
"""
NO_BRANCH = """
CREATE FUNCTION choose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
CREATE TRIGGER t BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION choose()
"""
DEFERRED = """
CREATE TABLE places (locale varchar(32) PRIMARY KEY);
INSERT INTO places VALUES ('RU');
ALTER TABLE user_logins ADD CONSTRAINT known_place FOREIGN KEY (locale) REFERENCES places
    DEFERRABLE INITIALLY DEFERRED
"""
DOMAIN = """
CREATE DOMAIN place AS varchar(32) CONSTRAINT not_german CHECK (VALUE <> 'DE');
ALTER TABLE user_logins ALTER locale TYPE place
"""
ONE_GERMAN = """
CREATE UNIQUE INDEX one_german ON user_logins ((1)) WHERE locale = 'DE';
INSERT INTO user_logins (locale) VALUES ('DE')
"""
CHECKED_VIEW = """
CREATE TABLE places (locale varchar(32));
CREATE VIEW places_but_german AS SELECT locale FROM places WHERE locale <> 'DE' WITH CHECK OPTION;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO places_but_german VALUES (NEW.locale); RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION note()
"""
NOT_SUPPORTED = """
CREATE FUNCTION inner_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION outer_trigger() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN IF NEW.locale = ''DE'' THEN PERFORM inner_trigger(); END IF; RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION outer_trigger()
"""
NO_PARTITION = """
ALTER TABLE user_logins RENAME TO before;
CREATE TABLE user_logins (LIKE before INCLUDING DEFAULTS) PARTITION BY LIST (locale);
CREATE TABLE user_logins_ru PARTITION OF user_logins FOR VALUES IN ('RU')
"""
SEQUENCE_AT_ITS_END = """
ALTER TABLE user_logins ADD COLUMN id serial;
SELECT setval('user_logins_id_seq', 2147483646)
"""


@pytest.fixture
def writer(dsn: str, user_logins: StreamDefinition) -> Iterator[BatchWriter[MaskedRow]]:
    """Writes rows, and tries once."""
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(user_logins), 0, threading.Event())
    yield writer
    writer.close()


def accounted(database: Connection) -> tuple[int, int]:
    """Return the number of rows, and of outcomes in the ledger."""
    rows = value_of(database, "SELECT count(*) FROM user_logins")
    return rows, value_of(database, "SELECT count(*) FROM maskline_outcomes")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (DROP_GERMAN, SWALLOWED),
        (RAISE.format(code="P0001"), "P0001 raise_exception"),
        (RAISE.format(code="MYERR"), "MYERR unknown"),
        (RAISE.format(code="23514"), "23514 check_violation"),
        (RAISE.format(code="42501"), "42501 insufficient_privilege"),
        (
            NO_BRANCH.format(body="IF NEW.locale <> 'DE' THEN RETURN NEW; END IF;"),
            "2F005 function_executed_no_return_statement",
        ),
        (NO_BRANCH.format(body="CASE NEW.locale WHEN 'RU' THEN RETURN NEW; END CASE;"), "20000 case_not_found"),
        (
            NO_BRANCH.format(
                body="NEW.locale := (SELECT relname FROM pg_class WHERE NEW.locale = 'DE' OR oid = 0); RETURN NEW;"
            ),
            "21000 cardinality_violation",
        ),
        (DEFERRED, "23503 foreign_key_violation, table user_logins, constraint known_place"),
        (DOMAIN, "23514 check_violation, constraint not_german"),
        (ONE_GERMAN, "23505 unique_violation, table user_logins, constraint one_german"),
        (CHECKED_VIEW, "44000 with_check_option_violation"),
    ],
    ids=[
        *("swallowed", "raised", "own code", "raised 23514", "raised 42501"),
        *("no return", "no case", "several values", "deferred", "domain", "unique", "view"),
    ],
)
def test_a_row_that_fails_alone_is_rejected_and_the_others_are_written(
    writer: BatchWriter[MaskedRow], database: Connection, change: str, detail: str
) -> None:
    run(database, change)
    before = value_of(database, "SELECT count(*) FROM user_logins")

    outcome = writer.write([row(1), row(2, locale="DE"), row(3)])

    assert [(rejected.record.receipt.message_id, rejected.detail) for rejected in outcome.rejected] == [
        (message_id(2), detail)
    ]
    assert accounted(database) == (before + 2, 2)


def test_a_row_that_a_policy_does_not_let_in_is_rejected_though_nobody_may_read_rows(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    run(
        database,
        "ALTER TABLE user_logins ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY p ON user_logins FOR INSERT WITH CHECK (device_type <> 'Windows')",
    )
    writer = BatchWriter(
        lambda: open_connection(dsn, options="-c role=maskline_writer"), InsertRows(user_logins), 0, threading.Event()
    )

    outcome = writer.write([row(1), row(2, device_type="Windows"), row(3)])
    writer.close()

    assert [rejected.detail for rejected in outcome.rejected] == ["42501 insufficient_privilege"]
    assert accounted(database) == (2, 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (DROP_ALL, f"takes none of 3 rows, all for one cause: {SWALLOWED}; none was rejected"),
        (NO_PARTITION, "the table has no partition for a row (23514 check_violation, table user_logins)"),
        (SEQUENCE_AT_ITS_END, "a sequence of the table is at its end (2200H sequence_generator_limit_exceeded)"),
        (
            "ALTER TABLE user_logins ADD COLUMN region text NOT NULL",
            "column region is NOT NULL, and the stream does not fill it"
            " (23502 not_null_violation, table user_logins, column region)",
        ),
        (NOT_SUPPORTED, "the table cannot be written so (0A000 feature_not_supported)"),
    ],
    ids=["swallows all", "no partition", "sequence", "not filled", "not supported"],
)
def test_what_is_the_tables_own_stops_the_job_and_rejects_nothing(
    writer: BatchWriter[MaskedRow], database: Connection, change: str, says: str
) -> None:
    run(database, change)

    with pytest.raises(TableError) as stopped:
        writer.write([row(1), row(2, locale="DE"), row(3)])

    assert stopped.value.exit_code == 1
    assert says in str(stopped.value)
    rows, outcomes = accounted(database)
    assert rows == outcomes


@pytest.mark.parametrize("code", ["08006", "25006", "40001", "40P01", "53100", "55006", "55P03", "57014", "58030"])
def test_what_will_pass_is_nobodys_fault(writer: BatchWriter[MaskedRow], database: Connection, code: str) -> None:
    run(database, RAISE.format(code=code))

    with pytest.raises(DatabaseUnavailableError, match=code):
        writer.write([row(1), row(2, locale="DE"), row(3)])

    assert accounted(database) == (0, 0)


def test_two_bad_rows_of_which_one_names_a_constraint_are_each_their_own(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    run(
        database,
        "ALTER TABLE user_logins ALTER COLUMN locale TYPE varchar(8);"
        " ALTER TABLE user_logins ADD CONSTRAINT no_windows CHECK (device_type <> 'Windows')",
    )

    outcome = writer.write([row(1, locale="x" * 9), row(2, device_type="Windows")])

    assert sorted(rejected.detail for rejected in outcome.rejected) == [
        "22001 string_data_right_truncation",
        "23514 check_violation, table user_logins, constraint no_windows",
    ]
    assert accounted(database) == (0, 0)


def test_one_bad_row_does_not_hide_what_is_the_tables_own(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    run(database, NO_PARTITION)

    with pytest.raises(TableError, match="no partition") as stopped:
        writer.write([row(1), row(2, user_id="x" * 129), row(3, locale="DE"), row(4)])

    assert heading_for(stopped.value.exit_code, str(stopped.value)) == "Exit code 1"


def test_rows_that_break_a_constraint_are_all_rejected_for_it_names_a_field(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    run(database, "ALTER TABLE user_logins ADD CONSTRAINT phones CHECK (device_type <> 'toaster')")

    outcome = writer.write([row(1, device_type="toaster"), row(2, device_type="toaster")])

    assert len(outcome.rejected) == 2


def test_a_single_row_that_fails_is_rejected_for_nothing_says_that_others_would_fail_too(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    run(database, DROP_ALL)

    outcome = writer.write([row(1)])

    assert [rejected.detail for rejected in outcome.rejected] == [SWALLOWED]
    assert accounted(database) == (0, 0)


def test_a_function_missing_in_a_trigger_is_the_set_up(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    run(
        database,
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nosuch(); RETURN NEW; END';"
        " CREATE TRIGGER t BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION broken()",
    )

    with pytest.raises(DatabaseError, match="a function that the table calls failed"):
        writer.write([row(1), row(2)])


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_a_row_and_a_rejection_never_both_stay_whatever_isolation_the_database_prefers(
    dsn: str, database: Connection, user_logins: StreamDefinition, level: str
) -> None:
    name = value_of(database, "SELECT current_database()")
    run(database, f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    stopping = threading.Event()

    def write_rows() -> None:
        rows = BatchWriter(functools.partial(connect, dsn), InsertRows(user_logins), 60, stopping)
        for start in range(0, 300, 10):
            rows.write([row(number) for number in range(start, start + 10)])
        rows.close()

    def write_rejections() -> None:
        rejections = BatchWriter(functools.partial(connect, dsn), InsertRejections(), 60, stopping)
        for start in range(0, 300, 15):
            rejections.write([rejection(number) for number in range(start, start + 15)])
        rejections.close()

    threads = [
        threading.Thread(target=target) for target in (write_rows, write_rows, write_rejections, write_rejections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    both = "SELECT count(*) FROM user_logins JOIN rejected_messages USING (message_id)"
    assert value_of(database, both) == 0
    total = (
        "SELECT count(*) FROM (SELECT message_id FROM user_logins UNION ALL SELECT message_id FROM rejected_messages)"
    )
    assert value_of(database, f"{total} AS t") == 300
    assert value_of(database, "SELECT count(*) FROM maskline_outcomes") == 300


def test_anybodys_advisory_lock_has_no_effect(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    run(database, "SELECT pg_advisory_lock(x'6D61736B6C696E65'::bit(64)::bigint)")

    assert len(writer.write([row(1)]).inserted) == 1


def test_a_partitioned_table_with_keys_of_its_own_in_another_schema_is_written(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    run(
        database,
        """
        CREATE SCHEMA shop;
        CREATE TABLE shop.logins (LIKE user_logins INCLUDING DEFAULTS) PARTITION BY RANGE (create_date);
        CREATE TABLE shop.logins_2023 PARTITION OF shop.logins FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
        ALTER TABLE shop.logins ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY, ADD PRIMARY KEY (id, create_date)
        """,
    )
    elsewhere = StreamDefinition(user_logins.name, "shop.logins", user_logins.columns)
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(elsewhere), 0, threading.Event())

    first = writer.write([row(1), row(2)])
    again = writer.write([row(2), row(3)])
    writer.close()

    assert (len(first.inserted), len(again.inserted), again.duplicates) == (2, 1, 1)
    assert rows_of(database, "SELECT count(*) FROM shop.logins_2023") == [(3,)]


def test_a_message_too_old_for_the_ledger_is_written_and_said(
    writer: BatchWriter[MaskedRow], database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = writer.write([row(1)])

    assert (outcome.unvouched, len(outcome.inserted)) == (1, 1)
    assert "1 of 1 messages were sent more than 15 days ago" in caplog.text
