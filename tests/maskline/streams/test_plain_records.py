"""A plain record is read at once to exactly what the careful way makes of it, and any other is left to that way."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskline.records import Reason
from maskline.streams.columns import Column
from maskline.streams.decoding import Decoded, MessageDecoder
from maskline.streams.definition import load_stream, parse_stream
from maskline.streams.failures import InvalidValueError
from maskline.streams.message_format import MessageFormat
from maskline.streams.opening import MessageOpener
from maskline.streams.payloads import S3Payloads
from maskline.streams.plain_records import MAX_EXTRA_NAMES, PlainReader, plain_record_reader

ORDERS = """
name = "orders"
table = "orders"
[columns.id]
type = "bigint"
[columns.total]
type = "numeric(6, 2)"
nullable = true
[columns.paid]
type = "boolean"
[columns.country]
type = "varchar(2)"
clear = true
nullable = true
[columns.masked_email]
field = "email"
type = "varchar(80)"
mask = "deterministic"
[columns.state]
type = "text"
values = ["new", "sent"]
"""
DECODER = MessageDecoder(parse_stream(ORDERS, "orders.toml"))
STRICT_DECODER = MessageDecoder(parse_stream(ORDERS + '[message]\nunknown = "reject"\n', "orders.toml"))
OPENER = MessageOpener(MessageFormat(), S3Payloads())
ORDER = '{"id":1,"total":2,"paid":true,"country":"DE","email":"a@b.c","state":"new"}'

NAMES = st.sampled_from(["id", "total", "paid", "country", "email", "state", "x", "y", "é"])
VALUES = st.one_of(
    st.sampled_from(["", "DE", "new", "a@b.c", "x" * 90, "é", "\0", "\ud800", '"', "\\", "{", "[", "1"]),
    st.sampled_from([0, 1, -1, 2**63, 10**30, 1.0, 2.50, True, False, None, [], ["DE"], {"id": 1}, {}]),
)
WRITTEN = st.sampled_from(
    [
        *("-0", "1.0", "1E2", "1e400", "1e-99999999999999999999", "1" * 400, "1" * 5000, "NaN", "Infinity", "01", "+1"),
        *(
            "[1e-99999999999999999999]",
            '{"a":1,"a":2}',
            '[{"a":"b","a":"c"}]',
            "[" * 2000 + "]" * 2000,
            "[1,]",
            "tru",
            '"é"',
        ),
        *(
            r'"\u0061"',
            r'"\ud800"',
            "'a'",
            '"a',
            '"a"b"',
            '"\t"',
            '"\x7f"',
            "",
            " null ",
            "null,",
            "null}",
            '{"x":"y"}',
        ),
    ]
)
"""Values of a field as JSON has them, or does not."""
RECORDS = st.tuples(
    st.fixed_dictionaries(
        {
            "id": st.integers(),
            "total": st.one_of(st.integers(-(10**5), 10**5), st.none(), st.floats(-9999, 9999)),
            "paid": st.booleans(),
            "country": st.one_of(st.sampled_from(["DE", "", "é", "DEU"]), st.none()),
            "email": st.sampled_from(["a@b.c", "é@b.c", "x" * 90]),
            "state": st.sampled_from(["new", "sent", "lost"]),
        }
    ),
    st.lists(st.tuples(NAMES, VALUES.map(json.dumps) | WRITTEN), max_size=3),
)


def user_logins() -> PlainReader:
    """Return the reader of plain logins."""
    reader = plain_record_reader(load_stream("user_logins").columns, lambda: None)
    assert reader is not None
    return reader


def outcome(decode: Callable[[], Decoded]) -> object:
    """Return what becomes of a body, its values with their types."""
    try:
        decoded = decode()
    except InvalidValueError as rejection:
        return rejection.reason, rejection.detail
    return [(type(value), value) for value in decoded.values], decoded.extra_fields


@given(RECORDS, st.booleans(), st.sampled_from([DECODER, STRICT_DECODER]))
@example(({}, [("id", "1"), ("id", "2")]), False, DECODER)
@example((json.loads(ORDER), [("x", "1"), ("x", "1")]), False, DECODER)
@example((json.loads(ORDER), [("x", "1e-99999999999999999999")]), False, DECODER)
@example((json.loads(ORDER), [("x", "[" * 2000 + "]" * 2000)]), False, DECODER)
@example((json.loads(ORDER), [("x", '"y"'), ("y", "null")]), False, STRICT_DECODER)
def test_a_record_becomes_what_the_careful_way_makes_of_it(
    record: tuple[dict[str, object], list[tuple[str, str]]], escaped: bool, decoder: MessageDecoder
) -> None:
    fields = [(name, json.dumps(value, ensure_ascii=escaped)) for name, value in record[0].items()]
    body = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in [*fields, *record[1]]) + "}"

    assert outcome(lambda: decoder.decode(body)) == outcome(lambda: decoder.decode_opened(OPENER.open(body)))


def test_a_plain_record_is_read_at_once_with_its_columns_own_types_and_forms() -> None:
    body = '{"user_id":"u1","device_type":"iOS","ip":"2001:DB8::1","locale":null,"app_version":"2.3.0","device_id":"d"}'

    assert user_logins()(body) == (["u1", "iOS", "2001:db8::1", "d", None, "2.3.0"], 0)


def test_a_record_with_fields_that_no_column_takes_is_read_at_once_too() -> None:
    body = (
        '{"user_id":"u1","x":"y","device_type":"iOS","ip":null,"locale":"RU","app_version":"2","device_id":"d","z":1}'
    )

    assert user_logins()(body) == (["u1", "iOS", None, "d", "RU", "2"], 2)


def test_fields_that_came_before_are_counted_where_they_come_again_and_not_where_they_do_not() -> None:
    read = user_logins()
    body = '{"user_id":"u1","device_type":"iOS","ip":null,"locale":"RU","app_version":"2","device_id":"d"@}'
    fields = [f',"x{number}":{value}' for number, value in enumerate(['"y"', "1", "null"] * MAX_EXTRA_NAMES)]
    values = ["u1", "iOS", None, "d", "RU", "2"]

    for _ in range(2):
        assert [read(body.replace("@", field)) for field in fields] == [(values, 1)] * len(fields)
    assert read(body.replace("@", "".join(fields))) == (values, len(fields))
    assert read(body.replace("@", "")) == (values, 0)
    assert [read(body.replace("@", 2 * field)) for field in fields] == [None] * len(fields)
    assert [read(body.replace("@", f',"x{number}":[]')) for number in range(len(fields))] == [None] * len(fields)


@pytest.mark.parametrize(
    "changed",
    [
        ('"id":1', '"id":1,"id":2'),
        ('"country":"DE"', '"country":"DE","country":"FR"'),
        ('"country":"DE"', '"country":null,"country":"DE"'),
        ('"email"', r'"\u0065mail":"x","email"'),
    ],
)
def test_a_key_that_stands_twice_is_refused(changed: tuple[str, str]) -> None:
    body = ORDER.replace(*changed)

    with pytest.raises(InvalidValueError) as refusal:
        DECODER.decode(body)

    assert refusal.value.reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize("more", ['"x":"y"', '"x":1', '"x":{"y":["z"]}', '"x":[]'])
def test_a_field_that_no_column_takes_is_counted(more: str) -> None:
    decoded = DECODER.decode(ORDER.replace('"id"', f'{more},"id"'))

    assert decoded == Decoded([1, 2, True, "DE", "a@b.c", "new"], 1)


@pytest.mark.parametrize("value", [r'"a\u0000"', r'"a\\"', '"é"', "1", "null", "[]"])
def test_a_text_that_is_not_plain_is_left_to_the_careful_way(value: str) -> None:
    body = '{"user_id":@,"device_type":"iOS","ip":"::1","locale":"RU","app_version":"2","device_id":"d"}'

    assert user_logins()(body.replace("@", value)) is None


@pytest.mark.parametrize(
    "column",
    ['field = "a.b"\n', 'field = "attribute:a"\n', "required = false\n", 'field = "id"\n', 'field = "\\u001f"\n'],
)
def test_there_is_no_such_reader_where_a_column_asks_for_more_than_a_field_of_its_own(column: str) -> None:
    definition = ORDERS + f'[columns.more]\ntype = "text"\nclear = true\n{column}'
    columns: list[Column] = list(parse_stream(definition, "orders.toml").columns)

    assert plain_record_reader(columns, lambda: None) is None
