"""A value of every column type goes from its message into Postgres and comes out as the type has it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from maskline.postgres.connection import Connection
from maskline.postgres.key_registry import KeyUse
from maskline.postgres.statements import InsertRows
from maskline.records import MaskedRow, SqsMessage
from maskline.streams.definition import parse_stream
from maskline.streams.masking import MessageMasker
from tests.maskline.keysets import opened
from tests.maskline.postgres.records import message_id, run, run_insert, value_of

TYPES = [
    ("varchar(9)", r'"a\"b\\{c,\n"', 'a"b\\{c,\n'),
    ("text", '"NULL"', "NULL"),
    ("smallint", "-32768", "-32768"),
    ("integer", "2147483647", "2147483647"),
    ("bigint", "-9223372036854775808", "-9223372036854775808"),
    ("numeric", "1e-20", "0.00000000000000000001"),
    ("numeric", "0e9999999999", "0"),
    ("numeric(38, 10)", "12345678901234567890.1234567891", "12345678901234567890.1234567891"),
    ("numeric(38, 18)", "12345678901.5", "12345678901.500000000000000000"),
    ("double precision", "0.1", "0.1"),
    ("double precision", "1e308", "1e+308"),
    ("boolean", "false", "false"),
    ("date", '"0001-01-01"', "0001-01-01"),
    ("timestamptz", '"0001-01-01T00:00:00.000001Z"', "0001-01-01 00:00:00.000001+00"),
    ("timestamptz", '"9999-12-31T23:59:59.999999Z"', "9999-12-31 23:59:59.999999+00"),
    ("timestamptz", '"2016-12-31T23:59:60Z"', "2017-01-01 00:00:00+00"),
    ("uuid", '"6F9619FF-8B86-4011-B42D-00C04FC964FF"', "6f9619ff-8b86-4011-b42d-00c04fc964ff"),
    ("inet", '"2001:DB8::1"', "2001:db8::1/128"),
    ("inet", '"203.0.113.7/24"', "203.0.113.7/24"),
    ("bytea", '"AP8iXA=="', "\\x00ff225c"),
    ("jsonb", r'{"a": [1.50, "x\"y\\", null, 123456789012345678901234567890]}', None),
    ("text[]", r'["a,b", "NULL", null, "", "{\"}", "\\"]', r'{"a,b","NULL",NULL,"","{\"}","\\"}'),
    ("text[]", "[]", "{}"),
    ("varchar(3)[]", '["abc"]', "{abc}"),
    ("smallint[]", "[1, -2]", "{1,-2}"),
    ("numeric(5, 2)[]", "[1.5, 2]", "{1.50,2.00}"),
    ("double precision[]", "[0.1, 2]", "{0.1,2}"),
    ("boolean[]", "[true, false]", "{t,f}"),
    ("date[]", '["2026-01-31"]', "{2026-01-31}"),
    ("timestamptz[]", '["2026-01-31T12:00:00+02:00"]', '{"2026-01-31 10:00:00+00"}'),
    ("uuid[]", '["6f9619ff-8b86-4011-b42d-00c04fc964ff"]', "{6f9619ff-8b86-4011-b42d-00c04fc964ff}"),
    ("inet[]", '["203.0.113.7"]', "{203.0.113.7}"),
    ("bytea[]", '["AP8="]', r'{"\\x00ff"}'),
]


@pytest.fixture(autouse=True)
def _known_keys(database: Connection) -> None:
    """Enter the keys, as a writer does before it writes."""
    KeyUse("a test").enter(database, [7])


@pytest.mark.parametrize(("declaration", "json_text", "stored"), TYPES)
def test_a_value_arrives_in_a_table_of_any_schema(
    database: Connection, declaration: str, json_text: str, stored: str | None
) -> None:
    stream = parse_stream(
        f'name = "s"\ntable = "shop.order"\n[columns.v]\ntype = "{declaration}"\nclear = true\nnullable = true',
        origin="test",
    )
    run(
        database,
        f'SET TIME ZONE UTC; CREATE SCHEMA shop; CREATE TABLE shop."order" (v {declaration}, create_date date,'
        " message_id uuid PRIMARY KEY, sent_at timestamptz, key_id bigint)",
    )
    masker, insert = MessageMasker(stream, opened(7)), InsertRows(stream)
    bodies = [f'{{"v":{json_text}}}', '{"v":null}']
    rows = [
        masker.mask(SqsMessage(message_id(number), "handle", body, datetime.now(UTC), 1))
        for number, body in enumerate(bodies)
    ]
    assert all(isinstance(row, MaskedRow) for row in rows), rows

    run_insert(database, insert, rows)

    query = f"SELECT v::text FROM shop.\"order\" WHERE message_id = '{message_id(0)}'"
    expected = stored if stored is not None else '{"a": [1.50, "x\\"y\\\\", null, 123456789012345678901234567890]}'
    assert value_of(database, query) == expected
    assert value_of(database, 'SELECT count(*) FROM shop."order" WHERE v IS NULL') == 1
