"""The shapes of messages that queues carry: each becomes a row, by its definition alone."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import zstandard

from maskline.streams.definition import parse_stream
from tests.maskline.streams.shapes import (
    MASKER,
    in_base64,
    in_eventbridge,
    in_sns,
    login,
    packed,
    pointer,
    row_of,
    values,
)

BODIES = {
    "sns": ('envelope = ["sns"]', in_sns(login(1)), 1),
    "eventbridge": ('envelope = ["eventbridge"]', in_eventbridge(login(2)), 2),
    "eventbridge behind sns": ('envelope = ["sns", "eventbridge"]', in_sns(in_eventbridge(login(2))), 2),
    "cloudevents": (
        'envelope = ["cloudevents"]',
        f'{{"specversion":"1.0","type":"login","source":"app","id":"1","data":{login(3)}}}',
        3,
    ),
    "cloudevents with data in base64": (
        'envelope = ["cloudevents"]',
        f'{{"specversion":"1.0","type":"login","id":"1","data_base64":"{in_base64(login(3).encode())}"}}',
        3,
    ),
    "cloudevents with data as text": (
        'envelope = ["cloudevents"]',
        json.dumps({"specversion": "1.0", "type": "login", "id": "1", "data": login(3)}),
        3,
    ),
    "s3-pointer": ('envelope = ["s3-pointer"]', pointer("0f1a"), 4),
    "s3-pointer of earlier versions": (
        'envelope = ["s3-pointer"]',
        pointer("0f1a", "com.amazon.sqs.javamessaging.MessageS3Pointer"),
        4,
    ),
    "s3-pointer, inline": ('envelope = ["s3-pointer"]', login(5), 5),
    "s3-pointer behind sns": ('envelope = ["sns", "s3-pointer"]', in_sns(pointer("0f1a")), 4),
    "s3-pointer, packed": ('envelope = ["s3-pointer"]\ndecode = ["base64"]', pointer("base64"), 3),
    "base64": ('decode = ["base64"]', in_base64(login(3).encode()), 3),
    "base64 of gzip": ('decode = ["base64", "gzip"]', in_base64(gzip.compress(login(3).encode(), mtime=0)), 3),
    "base64 of zstd": ('decode = ["base64", "zstd"]', in_base64(zstandard.compress(login(3).encode())), 3),
    "gzip in base64 behind sns": (
        'envelope = ["sns"]\ndecode = ["base64", "gzip"]',
        in_sns(in_base64(gzip.compress(login(3).encode(), mtime=0))),
        3,
    ),
    "a root": ('root = "events[0].login"', f'{{"events":[{{"login":{login(6)}}}]}}', 6),
    "a root in an envelope": (
        'envelope = ["eventbridge"]\nroot = "login"',
        in_eventbridge(f'{{"login":{login(6)}}}'),
        6,
    ),
}


@pytest.mark.parametrize(("message", "body", "number"), BODIES.values(), ids=BODIES.keys())
def test_a_record_is_found_in_what_is_around_it(message: str, body: str, number: int) -> None:
    objects = {"0f1a": login(4), "base64": in_base64(login(3).encode())}

    assert values(packed(message), body, None, **objects) == row_of(number)


def test_a_cloudevent_in_binary_mode_has_its_attributes_beside_the_body() -> None:
    definition = packed('envelope = ["cloudevents"]') + (
        '[columns.kind]\nfield = "envelope:type"\ntype = "text"\nclear = true\n'
    )
    attributes = {"ce-specversion": "1.0", "ce-type": "login", "ce-id": "1", "ce-source": "app"}

    assert values(definition, login(1), attributes) == (*row_of(1), "login")
    assert parse_stream(definition, "t").attribute_names == {"ce-specversion", "ce-type"}


def test_what_stands_in_envelopes_and_attributes_may_become_columns() -> None:
    definition = (
        packed('envelope = ["sns", "eventbridge"]')
        + """
[columns.topic]
field = "envelope:TopicArn"
type = "text"
clear = true
[columns.happened_at]
field = "envelope:time"
type = "timestamptz"
[columns.tenant]
field = "attribute:tenant"
type = "varchar(40)"
pattern = "[a-z]{2,8}"
[columns.attempt]
field = "attribute:attempt"
type = "integer"
[columns.is_test]
field = "attribute:is_test"
type = "boolean"
[columns.queued_at]
field = "attribute:queued_at"
type = "timestamptz"
format = "epoch_ms"
"""
    )
    attributes = {"tenant": "us", "attempt": "3", "is_test": "true", "queued_at": "1769860800000"}

    assert values(definition, in_sns(in_eventbridge(login(2))), attributes) == (
        *row_of(2),
        "arn:aws:sns:eu-central-1:123456789012:t",
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        "eu",
        3,
        True,
        datetime(2026, 1, 31, 12, tzinfo=UTC),
    )
    assert parse_stream(definition, "t").attribute_names == {"tenant", "attempt", "is_test", "queued_at"}


ORDER = (
    '{"id":7,"customer":{"email":"Ann@Example.com","phone":491701234567},"shipping":{"address":{"zip":"10115"}},'
    '"items":[{"sku":"a","qty":2}],"contacts":[{"email":"a@x.de"},{"email":"b@x.de"}],"placed":1769860800000}'
)

ORDERS = """
name = "orders"
table = "shop.orders"
[columns.order_id]
field = "id"
type = "bigint"
[columns.masked_email]
field = "customer.email"
type = "varchar(400)"
pii = true
[columns.masked_phone]
field = "customer.phone"
type = "text"
mask = "deterministic"
format = "text"
[columns.zip]
field = "shipping.address.zip"
type = "varchar(10)"
pattern = "[0-9]{5}"
[columns.first_sku]
field = "items[0].sku"
type = "text"
clear = true
[columns.quantities]
field = "items[*].qty"
type = "smallint[]"
[columns.masked_emails]
field = "contacts[*].email"
type = "text[]"
mask = "deterministic"
domain = "orders.masked_email"
[columns.placed_at]
field = "placed"
type = "timestamptz"
format = "epoch_ms"
[columns.coupon]
type = "text"
clear = true
required = false
[columns.currency]
type = "text"
values = ["EUR", "USD"]
required = false
default = "EUR"
[columns.items]
type = "jsonb"
clear = true
"""


def test_a_nested_order_becomes_a_row() -> None:
    def token(value: str, column: str) -> str:
        return MASKER.mask(value, f"orders.{column}")

    assert values(ORDERS, ORDER) == (
        7,
        token("Ann@Example.com", "masked_email"),
        token("491701234567", "masked_phone"),
        "10115",
        "a",
        [2],
        [token("a@x.de", "masked_email"), token("b@x.de", "masked_email")],
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        None,
        "EUR",
        '[{"sku":"a","qty":2}]',
    )


@pytest.mark.parametrize(
    ("column", "json_text", "value"),
    [
        ('type = "integer"', "3", 3),
        ('type = "boolean"', "true", True),
        ('type = "integer"\nformat = "number"', '"3"', 3),
        ('type = "integer"\nformat = "number"', "3", 3),
        ('type = "numeric"\nformat = "number"', '"12345678901234567890.10"', Decimal("12345678901234567890.10")),
        ('type = "double precision"', "0.1", 0.1),
        ('type = "text"\nmask = "deterministic"\nformat = "text"', "true", MASKER.mask("true", "s.v")),
        ('type = "text"\nmask = "deterministic"\nformat = "text"', "1.50", MASKER.mask("1.50", "s.v")),
        ('type = "text"\nmask = "deterministic"\nformat = "text"', '"true"', MASKER.mask("true", "s.v")),
        ('type = "text[]"\nmask = "deterministic"\nnullable = true', '["a",null]', [MASKER.mask("a", "s.v"), None]),
        ('type = "bytea"\nclear = true', '"AP8="', b"\x00\xff"),
        ('type = "inet"\nclear = true', '"2001:DB8::1"', "2001:db8::1"),
        ('type = "uuid"', '"6F9619FF-8B86-4011-B42D-00C04FC964FF"', "6f9619ff-8b86-4011-b42d-00c04fc964ff"),
    ],
)
def test_a_value_becomes_what_its_column_holds(column: str, json_text: str, value: object) -> None:
    definition = f'name = "s"\ntable = "s"\n[columns.v]\n{column}\n'

    (found,) = values(definition, f'{{"v":{json_text}}}')

    assert found == value
    assert type(found) is type(value)


def test_a_literal_name_with_a_dot_is_quoted() -> None:
    column = 'name = "s"\ntable = "s"\n[columns.street]\ntype = "text"\nclear = true\nfield = '

    assert values(f"{column}'\"address.street\"'", '{"address.street":"A","address":{"street":"B"}}') == ("A",)
    assert values(f'{column}"address.street"', '{"address.street":"A","address":{"street":"B"}}') == ("B",)
