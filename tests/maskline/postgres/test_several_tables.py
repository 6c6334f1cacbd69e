"""A micro-batch of several streams: one transaction, one entry of the ledger a message, each row in its own table."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator

import pytest

from maskline.errors import TableError
from maskline.postgres.connection import Connection, connect
from maskline.postgres.statements import InsertRows, InsertRowsOfStreams
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Receipt
from maskline.streams.definition import StreamDefinition, parse_stream
from tests.maskline.postgres.records import SENT_AT, message_id, rows_of, run, value_of

ORDER = 'name = "orders"\ntable = "orders"\n[columns.note]\ntype = "varchar(8)"\nclear = true\n'
VISIT = 'name = "visits"\ntable = "visits"\n[columns.pages]\ntype = "integer"\n'
RETURN = 'name = "returns"\ntable = "returns"\n[columns.days]\ntype = "integer"\n'


@pytest.fixture
def streams(database: Connection) -> list[StreamDefinition]:
    """Three streams and their tables."""
    of_maskline = "create_date date, message_id uuid PRIMARY KEY, sent_at timestamptz, key_id bigint"
    run(database, f"CREATE TABLE orders (note varchar(8), {of_maskline})")
    run(database, f"CREATE TABLE visits (pages integer, {of_maskline})")
    run(database, f"CREATE TABLE returns (days integer, {of_maskline})")
    return [parse_stream(text, origin="test") for text in (ORDER, VISIT, RETURN)]


@pytest.fixture
def writer(dsn: str, streams: list[StreamDefinition]) -> Iterator[BatchWriter[MaskedRow]]:
    """Writes rows of the streams, and does not try again."""
    writer = BatchWriter(functools.partial(connect, dsn), InsertRowsOfStreams(streams), 0, threading.Event())
    yield writer
    writer.close()


def row(number: int, stream: str, value: object) -> MaskedRow:
    """Return the row of the numbered message."""
    return MaskedRow(Receipt(message_id(number), f"handle-{number}"), SENT_AT, 1, 7, (value,), b"sealed", stream)


def test_each_row_goes_to_the_table_of_its_stream_in_one_transaction(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    rows = [row(3, "visits", 12), row(1, "orders", "gift"), row(2, "returns", 14), row(4, "orders", None)]

    outcome = writer.write(rows)

    assert outcome.committed == rows
    assert outcome.inserted == {message_id(1), message_id(2), message_id(3), message_id(4)}
    assert rows_of(database, "SELECT message_id, note FROM orders ORDER BY message_id") == [
        (message_id(1), "gift"),
        (message_id(4), None),
    ]
    assert rows_of(database, "SELECT message_id, pages FROM visits") == [(message_id(3), 12)]
    assert rows_of(database, "SELECT message_id, days FROM returns") == [(message_id(2), 14)]
    assert (
        value_of(
            database,
            "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM orders UNION ALL SELECT xmin FROM visits"
            " UNION ALL SELECT xmin FROM returns UNION ALL SELECT xmin FROM maskline_outcomes) AS written",
        )
        == 1
    )


def test_a_message_delivered_again_makes_no_second_row_in_any_table(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    writer.write([row(1, "orders", "first"), row(2, "visits", 1)])

    outcome = writer.write([row(1, "visits", 9), row(2, "visits", 9), row(3, "orders", "new")])

    assert outcome.inserted == {message_id(3)}
    assert outcome.duplicates == 2
    assert rows_of(database, "SELECT note FROM orders ORDER BY message_id") == [("first",), ("new",)]
    assert rows_of(database, "SELECT pages FROM visits") == [(1,)]


def test_a_row_that_its_table_does_not_take_is_rejected_alone(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    good = [row(1, "orders", "short"), row(2, "visits", 5), row(4, "returns", 3), row(5, "orders", "gift")]
    run(database, "ALTER TABLE orders ADD CONSTRAINT known CHECK (note IN ('short', 'gift'))")
    bad = row(3, "orders", "unknown")

    outcome = writer.write([*good, bad])

    assert outcome.committed == good
    assert [rejection.record for rejection in outcome.rejected] == [bad]
    assert rows_of(database, "SELECT note FROM orders ORDER BY message_id") == [("short",), ("gift",)]
    assert rows_of(database, "SELECT pages FROM visits") == [(5,)]
    assert value_of(database, "SELECT count(*) FROM maskline_outcomes") == 4


def test_a_table_that_takes_no_rows_is_named_and_its_rows_are_not_rejected(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    run(
        database,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed' USING ERRCODE = '23000';"
        " END $$; CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse()",
    )

    with pytest.raises(TableError, match="table orders takes none of 2 rows, all for one cause"):
        writer.write([row(1, "orders", "a"), row(2, "visits", 5), row(3, "orders", "b"), row(4, "visits", 6)])

    assert value_of(database, "SELECT count(*) FROM orders") == 0


def test_a_table_that_drops_a_row_silently_takes_its_entry_in_the_ledger_back(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    run(
        database,
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        " CREATE TRIGGER swallow BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION swallow()",
    )

    with pytest.raises(TableError):
        writer.write([row(1, "orders", "a"), row(2, "visits", 5), row(3, "visits", 6)])

    assert value_of(database, "SELECT count(*) FROM visits") == 0
    assert rows_of(database, "SELECT message_id FROM maskline_outcomes EXCEPT SELECT message_id FROM orders") == []


def test_the_rows_of_one_stream_are_written_by_the_statement_of_one_table(
    database: Connection, streams: list[StreamDefinition]
) -> None:
    statement = InsertRowsOfStreams(streams).for_records([row(1, "visits", 5), row(2, "visits", 6)])

    assert statement.query == InsertRows(streams[1]).query


def test_a_statement_names_the_tables_of_its_rows_and_no_others(
    database: Connection, streams: list[StreamDefinition]
) -> None:
    statement = InsertRowsOfStreams(streams)

    query = statement.for_records([row(1, "returns", 5), row(2, "orders", "a")]).query

    assert 'INSERT INTO "orders"' in query
    assert 'INSERT INTO "returns"' in query
    assert "visits" not in query


def test_the_ledger_is_entered_in_the_order_of_the_message_ids(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    writer.write([row(2, "orders", "b"), row(1, "visits", 1), row(4, "orders", "d"), row(3, "visits", 3)])

    entered = rows_of(database, "SELECT message_id FROM maskline_outcomes ORDER BY ctid")

    assert entered == [(message_id(1),), (message_id(2),), (message_id(3),), (message_id(4),)]
