"""A drafted definition takes the messages that it was drafted from, masks what looks personal, and holds no value."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskline.drafting.draft import Draft, draft_definition
from maskline.drafting.records import Wish
from maskline.errors import UsageError
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.message_file import SampleMessage
from maskline.streams.stream_set import StreamSet
from maskline.streams.trial import StreamTrial
from tests.maskline.streams.shapes import Objects, in_sns

ORDER = {
    "id": 7,
    "customer": {"email": "Ann@Example.com", "phone": 491701234567},
    "shipping": {"address": {"zip": "10115"}},
    "items": [{"sku": "a", "qty": 2}],
    "contacts": [{"email": "a@x.de"}, {"email": "b@x.de"}],
    "placed": 1769860800000,
}


def drafted(*bodies: str, match: str = "", attributes: dict[str, str] | None = None, **objects: str) -> Draft:
    wishes = [Wish.parse(match)] if match else []
    return draft_definition([SampleMessage(body, attributes) for body in bodies], "orders", wishes, Objects(**objects))


def stream_of(draft: Draft) -> StreamDefinition:
    return parse_stream(draft.text, "draft")


def columns(draft: Draft) -> dict[str, tuple[str, str, bool]]:
    """Return the field, the type and whether it is masked of every column."""
    return {each.name: (each.field, each.type.declaration, each.is_masked) for each in stream_of(draft).columns}


def rejections(draft: Draft, *bodies: str, attributes: dict[str, str] | None = None, **objects: str) -> list[str]:
    trial = StreamTrial(StreamSet((stream_of(draft),)), Objects(**objects))
    tried = [trial.try_message(body, attributes) for body in bodies]
    return [f"{each.reason}: {each.detail}" for each in tried if each.reason]


def test_a_nested_order_becomes_columns_with_their_paths() -> None:
    draft = drafted(json.dumps(ORDER))

    assert columns(draft) == {
        "id": ("id", "bigint", False),
        "masked_customer_email": ("customer.email", "text", True),
        "masked_customer_phone": ("customer.phone", "text", True),
        "masked_shipping_address_zip": ("shipping.address.zip", "text", True),
        "items_sku": ("items[*].sku", "text[]", False),
        "items_qty": ("items[*].qty", "bigint[]", False),
        "masked_contacts_email": ("contacts[*].email", "text[]", True),
        "placed": ("placed", "timestamptz", False),
    }


def test_each_personal_column_says_why() -> None:
    draft = drafted('{"a":"ann@example.com","phone":"0170 1234567","b":"please leave it at the door"}')

    assert "pii = true  # e-mail address, by 1 of 1 values\n" in draft.text
    assert "pii = true  # phone number, by its name\n" in draft.text
    assert "pii = true  # free text, in which anything may stand\n" in draft.text


def test_what_is_absent_or_null_in_some_messages_may_be_so() -> None:
    draft = drafted('{"a":1,"b":null}', '{"b":2}', '{"a":3,"b":4}')

    stream = stream_of(draft)
    assert (stream.column("a").required, stream.column("a").nullable) == (False, False)
    assert (stream.column("b").required, stream.column("b").nullable) == (True, True)
    assert "required = false  # absent from 1 of 3\n" in draft.text
    assert "nullable = true  # null in 1 of 3\n" in draft.text


@pytest.mark.parametrize(
    ("values", "declaration", "format_"),
    [
        ('"2026-01-31T12:00:00Z"', "timestamptz", None),
        ('"2026-01-31T12:00:00.123456789Z"', "timestamptz", None),
        ('"2026-01-31"', "date", None),
        ('"6f9619ff-8b86-4011-b42d-00c04fc964ff"', "uuid", None),
        ('"2026-01-31 noon"', "text", None),
        ("true", "boolean", None),
        ("1", "bigint", None),
        ("9223372036854775808", "numeric", None),
        ("1.5", "numeric", None),
        ("1e-20000", "double precision", None),
        ("1769860800", "timestamptz", "epoch_s"),
        ("1769860800000", "timestamptz", "epoch_ms"),
        ("1769860800123456", "timestamptz", "epoch_us"),
        ("1769860800123456789", "timestamptz", "epoch_ns"),
        ('1, "x"', "text", "text"),
        ('true, "x"', "text", "text"),
    ],
)
def test_the_type_is_the_most_telling_that_takes_all_values(values: str, declaration: str, format_: str | None) -> None:
    draft = drafted(*(f'{{"x":{value}}}' for value in values.split(", ")))

    column = stream_of(draft).columns[0]
    assert (column.type.declaration, column.format) == (declaration, format_)


def test_an_identifier_of_the_size_of_a_time_stays_a_number() -> None:
    assert columns(drafted('{"order_id":1769860800000}')) == {"order_id": ("order_id", "bigint", False)}


BODY = '{"id":7,"order":{"email":"ann@example.com"}}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (in_sns(BODY), 'envelope = ["sns"]'),
        (
            f'{{"version":"0","id":"1","detail-type":"x","source":"a","time":"2026-01-31T12:00:00Z","detail":{BODY}}}',
            'envelope = ["eventbridge"]',
        ),
        (f'{{"specversion":"1.0","id":"1","source":"a","type":"t","data":{BODY}}}', 'envelope = ["cloudevents"]'),
        (base64.b64encode(BODY.encode()).decode(), 'decode = ["base64"]'),
        (base64.b64encode(gzip.compress(BODY.encode(), mtime=0)).decode(), 'decode = ["base64", "gzip"]'),
        (f'{{"payload":{{"after":{BODY}}}}}', 'root = "payload.after"'),
        (
            '["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"big","s3Key":"one"}]',
            'envelope = ["s3-pointer"]',
        ),
        (
            in_sns('["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"big","s3Key":"one"}]'),
            'envelope = ["sns", "s3-pointer"]',
        ),
    ],
)
def test_what_a_record_is_packed_in_is_recognized(body: str, message: str) -> None:
    draft = drafted(body, one=BODY)

    assert f"[message]\n{message}\n" in draft.text
    assert columns(draft)["masked_order_email"] == ("order.email", "text", True)
    assert rejections(draft, body, one=BODY) == []


def test_messages_that_came_inline_go_with_those_left_in_s3() -> None:
    pointer = '["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"big","s3Key":"one"}]'

    draft = drafted(BODY, pointer, one=BODY)

    assert (draft.described, draft.others) == (2, 0)
    assert rejections(draft, BODY, pointer, one=BODY) == []


KINDS = ['{"kind":"Placed","id":1}', '{"kind":"Placed","id":2}', '{"kind":"Paid","sum":1}', '{"kind":"Paid","sum":2}']


def test_messages_of_several_kinds_are_told_of_and_drafted_one_by_one() -> None:
    both = drafted(*KINDS)
    one = drafted(*KINDS, match="kind=Paid")

    assert '# The messages seem to be of 2 kinds, told apart by "kind".' in both.text
    assert '[match]\nkind = "Paid"\n' in one.text
    assert set(columns(one)) == {"kind", "sum"}
    assert (one.described, one.others) == (2, 2)
    assert rejections(one, *KINDS) == ["no_stream: no stream's [match] holds"] * 2


def test_the_field_that_tells_kinds_apart_may_be_anywhere() -> None:
    draft = drafted(*(f'{{"event":{{"type":"{kind}","n":{n}}},"{kind}":1}}' for n in (1, 2) for kind in "ab"))

    assert '# The messages seem to be of 2 kinds, told apart by "event.type".' in draft.text


def test_an_attribute_that_no_definition_can_name_is_no_trouble() -> None:
    attributes = {"a b": "x"}

    assert columns(drafted(*KINDS, attributes=attributes)).keys() == {"kind", "id", "sum"}


def test_a_wish_for_a_number_is_written_with_its_type() -> None:
    draft = drafted('{"v":1,"a":true}', '{"v":"1","a":true}', match="v=1")

    assert '[match]\nv = ["1", 1]\n' in draft.text
    assert rejections(draft, '{"v":1,"a":true}', '{"v":"1","a":true}') == []


def test_messages_that_are_packed_otherwise_or_no_records_are_counted() -> None:
    draft = drafted(BODY, BODY, in_sns(BODY), "no JSON")

    assert (draft.described, draft.others) == (2, 2)
    assert "# Not described here are messages packed otherwise: 1.\n" in draft.text
    assert "# Not described here are messages that are no records, not_json: 1.\n" in draft.text


def test_a_few_odd_messages_leave_no_column_out_and_are_counted() -> None:
    named, nul = '{"customer":{"name":"Ann"},"total":1}', '{"customer":{"name":"a\\u0000"},"total":1}'

    draft = drafted(named, named, nul, "{}")

    assert columns(draft) == {
        "masked_customer_name": ("customer.name", "text", True),
        "total": ("total", "bigint", False),
    }
    assert all(column.required for column in stream_of(draft).columns)
    assert 'type = "text"  # 1 of 3 hold text that Postgres cannot store: rejected\n' in draft.text
    assert "# Not described here are messages of which no row can be made, invalid_text: 1.\n" in draft.text
    assert "# Not described here are messages that are no records, missing_field: 1.\n" in draft.text
    assert (draft.described, draft.others) == (2, 2)
    assert len(rejections(draft, named, named, nul, "{}")) == 2


def test_how_many_values_are_text_where_others_are_none_is_said() -> None:
    draft = drafted('{"x":1}', '{"x":2}', '{"x":"3"}')

    assert 'format = "text"  # a text in 1 of 3, and no text in the others\n' in draft.text


def test_addresses_that_people_call_equal_get_one_token() -> None:
    draft = drafted(
        '{"email":"Ann@Example.com","ip":"2001:DB8::1","phone":"+49 170 1234567","note":"to ann@example.com"}'
    )

    assert '[domains."orders.masked_email"]\nnormalize = "email"  #' in draft.text
    assert {each.name: each.normalization and each.normalization.name for each in stream_of(draft).columns} == {
        "masked_email": "email",
        "masked_ip": "ip",
        "masked_phone": None,
        "masked_note": None,
    }


def test_an_object_whose_names_are_values_is_no_place_for_columns() -> None:
    names = ["4711", "ann@example.com", "6f9619ff-8b86-4011-b42d-00c04fc964ff", "user-1234567"]

    draft = drafted(*(json.dumps({"a": 1, "by": {name: 1}}) for name in names))

    assert not any(name in draft.text for name in names)
    assert columns(draft) == {"a": ("a", "bigint", False), "masked_by": ("by", "jsonb", True)}
    assert 'mask = "leaves"  # values of several kinds, or names that are values\n' in draft.text


def test_a_place_with_values_of_several_kinds_is_a_document_whose_leaves_are_masked() -> None:
    bodies = ['{"x":{"a":1}}', '{"x":"text"}', '{"x":[[1]]}']

    draft = drafted(*bodies)

    assert columns(draft) == {"masked_x": ("x", "jsonb", True)}
    assert rejections(draft, *bodies) == []


def test_message_attributes_become_columns_and_those_of_tracing_do_not() -> None:
    attributes = {"tenant": "eu", "client_ip": "203.0.113.7", "traceparent": "00-1-1-01"}

    assert columns(drafted('{"a":1}', attributes=attributes)) == {
        "a": ("a", "bigint", False),
        "tenant": ("attribute:tenant", "text", False),
        "masked_client_ip": ("attribute:client_ip", "text", True),
    }


def test_names_that_a_table_cannot_have_are_changed() -> None:
    body = (
        '{"Größe":1,"1st":1,"a.b":"x","a b":"y","aB":"z","masked_x":"w","message_id":"v","ctid":2,"":3,"envelope:x":4}'
    )

    assert columns(drafted(body)) == {
        "groe": ("Größe", "bigint", False),
        "field_1st": ("1st", "bigint", False),
        "a_b": ('"a.b"', "text", False),
        "a_b_2": ("a b", "text", False),
        "a_b_3": ("aB", "text", False),
        "field_masked_x": ("masked_x", "text", False),
        "field_message_id": ("message_id", "text", False),
        "field_ctid": ("ctid", "bigint", False),
        "field": ('""', "bigint", False),
        "envelope_x": ('"envelope:x"', "bigint", False),
    }
    assert rejections(drafted(body), body) == []


def test_what_cannot_be_a_column_is_named_with_its_reason() -> None:
    draft = drafted('{"a":1,"b":null,"c":[],"d":{},"e":"\\u0000","f":[null]}')

    assert draft.text.endswith(
        "\n# Left out:\n"
        '# "b": always null\n'
        '# "c": always an empty array\n'
        '# "d": always an empty object\n'
        '# "e": holds text, or numbers, that Postgres cannot store\n'
        '# "f": always an array of nulls\n'
    )


@pytest.mark.parametrize(
    ("bodies", "match", "complaint"),
    [
        (
            ["no JSON", "[1]"],
            "",
            r"^messages: none of 2 has a JSON object in it \(not_json 1, not_an_object 1\); write one a line$",
        ),
        (["{}"], "", r"^messages: nothing in them can be a column"),
        ([BODY], "kind=x", r"^match: none of 1 messages has kind=x$"),
        ([BODY], "kind", r"^match 'kind': has no =; write kind=OrderPlaced$"),
        ([BODY], "a[*]=1", r"^match 'a\[\*\]=1': has an \[\*\], which finds many values; write \[0\] for the first$"),
    ],
)
def test_what_cannot_be_drafted_is_one_line(bodies: list[str], match: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        drafted(*bodies, match=match)


VALUES = st.integers(10**9, 10**10).map(lambda number: f"value{number}")
PLAIN = st.one_of(
    VALUES,
    st.text(max_size=8),
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["2026-01-31T12:00:00Z", "2026-01-31", "ann@example.com", "203.0.113.7", "\ud800", 1769860800000]),
)
NAMES = st.one_of(st.sampled_from(["id", "email", "kind", "a.b", "a b", "masked_x", "at"]), st.text(max_size=5))
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
RECORDS = st.lists(st.dictionaries(NAMES, JSON, min_size=1, max_size=5), min_size=1, max_size=5)


def packed(record: dict[str, Any], how: str) -> str:
    text = json.dumps(record)
    return {"": text, "sns": in_sns(text), "base64": base64.b64encode(text.encode()).decode()}[how]


@given(RECORDS, st.sampled_from(["", "sns", "base64"]))
def test_a_draft_of_any_messages_loads_and_takes_them(records: list[dict[str, Any]], how: str) -> None:
    bodies = [packed(record, how) for record in records]
    try:
        draft = drafted(*bodies)
    except UsageError as error:
        assume("nothing in them can be a column" not in str(error))
        raise

    assert len(rejections(draft, *bodies)) == draft.others


@given(RECORDS)
def test_no_value_stands_in_a_draft(records: list[dict[str, Any]]) -> None:
    try:
        text = drafted(*(json.dumps(record) for record in records)).text
    except UsageError as error:
        text = str(error)

    assert re.findall(r"value\d{9}|ann@example|203\.0\.113|1769860800000", text) == []
