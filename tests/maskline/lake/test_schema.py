"""A copy has the stream's columns with their types and comments, and gets new ones without a rewrite."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from maskline.errors import DatabaseError, LakeError
from maskline.keys import Keyset
from maskline.lake.columns import arrow_schema, lake_columns
from maskline.lake.copies import Copy
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import Connection
from maskline.postgres.ddl import create_table
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.postgres.records import message_id, run

SENT_AT = datetime(2026, 1, 31, 12, 30, 0, 123456, tzinfo=UTC)
NOTES = 'name = "notes"\ntable = "notes"\n[columns.user_id]\ntype = "text"\nclear = true\n'
NOTES_WITH_MOOD = NOTES + '[columns.mood]\ntype = "varchar(9)"\nclear = true\nnullable = true\n'


@pytest.fixture
def orders() -> StreamDefinition:
    """A second stream, with every type there is."""
    return load_stream("tests/e2e/orders.toml")


def notes(text: str) -> StreamDefinition:
    """Return a small stream."""
    return parse_stream(text, "test")


@pytest.mark.parametrize("copy", Copy)
def test_every_type_keeps_its_values(
    keyset: Keyset, dsn: str, database: Connection, orders: StreamDefinition, tmp_path: Path, copy: Copy
) -> None:
    run(database, create_table(orders))
    token = Masker(keyset).mask("a@example.com", "orders.masked_email")
    values = [7, token, Decimal("19.90"), None, SENT_AT, date(2026, 2, 1), "it's 100% ä", SENT_AT.date()]
    run(
        database,
        "INSERT INTO orders (order_number, masked_email, total, is_gift, ordered_at, deliver_on, note, create_date,"
        f" message_id, sent_at, processed_at, key_id) VALUES ({', '.join(['%s'] * 12)})",
        [*values, message_id(1), SENT_AT, SENT_AT, keyset.primary_key_id],
    )

    publish(dsn, lake_table(tmp_path, copy, orders), keyset if copy is Copy.CLEARTEXT else None)

    email, shown = ("email", "a@example.com") if copy is Copy.CLEARTEXT else ("masked_email", token)
    names = ["order_number", email, "total", "is_gift", "ordered_at", "deliver_on", "note", "create_date"]
    assert rows_in(tmp_path, *names, "message_id", "sent_at") == [
        (7, shown, *values[2:], message_id(1), SENT_AT),
    ]


def test_columns_have_comments_and_the_clear_copy_the_names_of_fields(user_logins: StreamDefinition) -> None:
    opaque, clear = (arrow_schema(lake_columns(user_logins, copy)) for copy in Copy)

    assert [name for name in opaque.names if name not in clear.names] == ["masked_ip", "masked_device_id", "key_id"]
    assert [name for name in clear.names if name not in opaque.names] == ["ip", "device_id"]
    assert clear.field("ip").metadata == {b"comment": b"personal data in clear: the field ip, recovered from masked_ip"}
    assert all(field.metadata[b"comment"] for field in [*opaque, *clear])


@pytest.mark.parametrize("field", ["e mail", "note", "Note", "create_date", "ä", "a.b", '"note"'])
def test_a_field_that_cannot_name_a_column_leaves_it_its_own_name(field: str) -> None:
    stream = notes(
        f'{NOTES}[columns.note]\nfield = "n"\ntype = "text"\nclear = true\n'
        f"[columns.masked_email]\nfield = '{field}'\n"
        'type = "text"\npii = true\n'
    )

    assert "masked_email" in [column.name for column in lake_columns(stream, Copy.CLEARTEXT)]


def test_two_masked_columns_of_one_field_keep_their_own_names() -> None:
    emails = "\n".join(
        f'[columns.{name}]\nfield = "Email"\ntype = "text"\npii = true' for name in ("masked_email", "masked_mail")
    )

    names = [column.name for column in lake_columns(notes(f"{NOTES}{emails}\n"), Copy.CLEARTEXT)]

    assert names[:3] == ["user_id", "masked_email", "masked_mail"]


def test_a_new_column_is_added_without_a_rewrite(dsn: str, database: Connection, tmp_path: Path) -> None:
    insert = "INSERT INTO notes (user_id, create_date, message_id, sent_at, key_id) VALUES ('u', now(), %s, now(), 1)"
    run(database, create_table(notes(NOTES)))
    run(database, insert, [message_id(1)])
    publish(dsn, lake_table(tmp_path, stream=notes(NOTES)))
    files = {file.path for file in lake_table(tmp_path, stream=notes(NOTES)).newest().files()}

    run(database, "ALTER TABLE notes ADD COLUMN mood varchar(9)")
    run(database, insert.replace("(user_id,", "(mood, user_id,").replace("('u'", "('good', 'u'"), [message_id(2)])
    wider = lake_table(tmp_path, stream=notes(NOTES_WITH_MOOD))
    assert publish(dsn, wider) == 1

    assert rows_in(tmp_path, "message_id", "mood") == [(message_id(1), None), (message_id(2), "good")]
    assert files < {file.path for file in wider.newest().files()}
    (field,) = [field for field in DeltaTable(str(tmp_path)).schema().fields if field.name == "mood"]
    assert field.metadata == {"comment": "the field mood, as it was sent"}
    read = pa.Table.from_batches(wider.newest().rows())
    assert sorted(map(str, read.column("mood").to_pylist())) == ["None", "good"]


def test_a_column_that_the_table_does_not_have_yet_is_refused_and_the_copy_stays_as_it_is(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    run(database, create_table(notes(NOTES)))
    narrow = lake_table(tmp_path, stream=notes(NOTES))
    publish(dsn, narrow)
    version = narrow.newest().number

    with pytest.raises(
        DatabaseError, match=r"table notes has no column mood varchar\(9\), which the stream notes names"
    ):
        publish(dsn, lake_table(tmp_path, stream=notes(NOTES_WITH_MOOD)))

    assert narrow.newest().number == version


def test_a_place_that_holds_another_copy_is_refused(dsn: str, tmp_path: Path) -> None:
    publish(dsn, lake_table(tmp_path))

    with pytest.raises(LakeError, match="is not the clear copy of user_logins"):
        lake_table(tmp_path, Copy.CLEARTEXT).newest_or_new()


def test_a_column_of_another_type_is_refused(dsn: str, database: Connection, tmp_path: Path) -> None:
    run(database, create_table(notes(NOTES_WITH_MOOD)))
    publish(dsn, lake_table(tmp_path, stream=notes(NOTES_WITH_MOOD)))

    with pytest.raises(LakeError, match=r"column mood is .*string.*, the stream makes it .*integer"):
        lake_table(tmp_path, stream=notes(NOTES_WITH_MOOD.replace("varchar(9)", "integer"))).newest_or_new()
