"""A message that is not packed as its definition says is refused, and told what it seems to be packed in."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.records import MaskedRow, Payload, Rejection
from maskline.streams.definition import parse_stream
from maskline.streams.failures import InvalidValueError
from maskline.streams.message_format import Envelope, MessageFormat, Packing
from maskline.streams.opening import MessageOpener
from maskline.streams.recognition import recognize
from tests.maskline.streams.shapes import (
    LOGINS,
    Objects,
    in_base64,
    in_eventbridge,
    in_sns,
    login,
    outcome,
    packed,
    pointer,
    row_of,
)

RAW = "is not an SNS notification; with raw message delivery there is none"
UNSUBSCRIBED = json.dumps({"Type": "UnsubscribeConfirmation", "Message": "You have chosen to …"})
CLOUDEVENT = f'{{"specversion":"1.0","type":"login","data":{login(1)}}}'


def rejection(message: str, body: str, attributes: dict[str, str] | None = None) -> tuple[str, str]:
    """Return reason and detail of a message's rejection."""
    found = outcome(packed(message) if message else LOGINS, body, attributes)
    assert isinstance(found, Rejection)
    return str(found.reason), found.detail


@pytest.mark.parametrize(
    ("message", "body", "reason", "detail"),
    [
        ('envelope = ["sns"]', login(1), "no_envelope", RAW),
        ('envelope = ["sns"]', "[1]", "no_envelope", RAW),
        ('envelope = ["sns"]', '{"Type":"Notification","Message":{}}', "no_envelope", RAW),
        (
            'envelope = ["sns"]',
            UNSUBSCRIBED,
            "no_envelope",
            "is what SNS writes about a subscription, and no notification",
        ),
        ('envelope = ["sns"]', "hello", "not_json", "not JSON: Expecting value at character 0"),
        ('envelope = ["sns"]', in_sns("hello"), "not_json", "not JSON: Expecting value at character 0"),
        ('envelope = ["eventbridge"]', login(1), "no_envelope", "is not an event of EventBridge"),
        ('envelope = ["eventbridge"]', in_eventbridge("3"), "not_an_object", "the JSON is an integer, not an object"),
        ('envelope = ["cloudevents"]', login(1), "no_envelope", "is not a CloudEvent"),
        ('envelope = ["cloudevents"]', '{"specversion":"1.0"}', "no_envelope", "is a CloudEvent without data"),
        (
            'envelope = ["cloudevents"]',
            '{"specversion":"1.0","data_base64":"?"}',
            "not_unpacked",
            "is not base64",
        ),
        (
            'envelope = ["s3-pointer"]',
            '["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3Key":1}]',
            "no_envelope",
            "is a pointer to S3 without s3BucketName and s3Key",
        ),
        ('decode = ["base64", "gzip"]', "aGVsbG8=", "not_unpacked", "is not gzip, or damaged"),
        (
            'envelope = ["eventbridge"]\ndecode = ["base64"]',
            in_eventbridge(login(1)),
            "not_unpacked",
            "is JSON in its envelope, and no text in base64",
        ),
        ('root = "a.b"', '{"a":{}}', "missing_field", "root a.b missing"),
        ('root = "a.b"', '{"a":{"b":"["}}', "not_json", "root a.b not JSON: Expecting value at character 1"),
        (
            'root = "Records[0].a"',
            '{"Records":[{"a":{}},{"a":{}}]}',
            "not_an_object",
            "root Records[0].a is one of 2 elements, and a message is one row",
        ),
        ('decode = ["json"]', login(1), "not_unpacked", "is an object and no JSON string that holds JSON"),
        ('decode = ["json"]', '"x"', "not_json", "not JSON: Expecting value at character 0"),
        ('root = "a.b"', '{"a":{"b":[]}}', "not_an_object", "root a.b is an array, not an object"),
        (
            'root = "a.b"',
            '{"a":"x"}',
            "wrong_type",
            "root a.b cannot be reached: what stands before its end is a string, not an object",
        ),
        ('unknown = "reject"', login(1), "unknown_field", "3 fields that no column takes"),
    ],
)
def test_a_message_in_another_format_is_refused(message: str, body: str, reason: str, detail: str) -> None:
    assert rejection(message, body) == (reason, detail)


@pytest.mark.parametrize(
    ("message", "body", "hint"),
    [
        ("", in_sns(login(1)), 'envelope = ["sns"]'),
        ("", in_eventbridge(login(1)), 'envelope = ["eventbridge"]'),
        ("", CLOUDEVENT, 'envelope = ["cloudevents"]'),
        ("", pointer("0f1a"), 'envelope = ["s3-pointer"]'),
        ("", in_sns(pointer("0f1a")), 'envelope = ["sns", "s3-pointer"]'),
        ("", in_sns(in_eventbridge(login(1))), 'envelope = ["sns", "eventbridge"]'),
        ('envelope = ["sns"]', in_eventbridge(login(1)), 'envelope = ["eventbridge"]'),
        ('envelope = ["eventbridge"]', in_sns(in_eventbridge(login(1))), 'envelope = ["sns", "eventbridge"]'),
        ("", json.dumps(login(1)), 'decode = ["json"]'),
        ("", in_base64(login(1).encode()), 'decode = ["base64"]'),
        ("", in_base64(gzip.compress(login(1).encode(), mtime=0)), 'decode = ["base64", "gzip"]'),
        ('decode = ["base64"]', in_base64(zstandard.compress(login(1).encode())), 'decode = ["base64", "zstd"]'),
        (
            "",
            in_sns(in_base64(gzip.compress(login(1).encode(), mtime=0))),
            'envelope = ["sns"] and decode = ["base64", "gzip"]',
        ),
    ],
)
def test_a_rejection_says_what_the_body_looks_like(message: str, body: str, hint: str) -> None:
    _, detail = rejection(message, body)

    assert detail.endswith(f"; the body looks like [message] {hint}")


@pytest.mark.parametrize("body", ["hello", "aGVsbG8=", '{"user_id":"u1"}', "[]", '"x"', '{"Type":"a","Message":"b"}'])
def test_nothing_is_said_of_a_body_that_looks_like_nothing(body: str) -> None:
    _, detail = rejection("", body)

    assert "looks like" not in detail


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ('root = "payload"', json.dumps({"payload": login(1)})),
        ('root = "Records[0].s3"', f'{{"Records":[{{"s3":{login(1)}}}]}}'),
        ('root = "after"', json.dumps({"after": f"\ufeff{login(1)}"})),
        ('decode = ["json"]', json.dumps(login(1))),
        ('decode = ["base64", "json"]', in_base64(json.dumps(login(1)).encode())),
        ('decode = ["base64", "gzip"]', in_base64(gzip.compress(login(1).encode("utf-8-sig")))),
        ('envelope = ["eventbridge"]', in_eventbridge(json.dumps(login(1)))),
        ('envelope = ["s3-pointer"]', f"\ufeff{login(1)}"),
    ],
)
def test_a_record_that_is_a_text_where_its_definition_says_so_is_read(message: str, body: str) -> None:
    row = outcome(packed(message), body)

    assert isinstance(row, MaskedRow)
    assert row.values == row_of(1)


def test_a_text_of_bytes_that_are_no_text_is_refused() -> None:
    assert rejection('decode = ["base64"]', "/w==") == ("not_unpacked", "what was unpacked is not text in UTF-8")


def test_a_bomb_in_a_message_is_refused_within_the_bound() -> None:
    body = base64.b64encode(gzip.compress(bytes(32 * 2**20))).decode()

    assert rejection('decode = ["base64", "gzip"]', body) == (
        "too_large",
        "gzip unpacks to more than 16,777,216 bytes",
    )


def test_unknown_fields_are_counted_where_no_path_leads() -> None:
    text = """
name = "s"
table = "s"
[match]
"kind.name" = "a"
[columns.email]
field = "customer.email"
type = "text"
clear = true
[columns.skus]
field = "items[*].sku"
type = "text[]"
clear = true
[columns.address]
type = "jsonb"
clear = true
[message]
unknown = "reject"
"""
    known = {"kind": {"name": "a"}, "customer": {"email": "e"}, "items": [{"sku": "1"}], "address": {"any": {}}}
    more = known | {"x": {"y": 1}, "customer": {"email": "e", "b": 1}, "items": [{"sku": "1"}, {"sku": "2", "q": 3}]}

    assert not isinstance(outcome(text, json.dumps(known)), Rejection)
    assert outcome(text, json.dumps(more)).detail == "3 fields that no column takes"  # type: ignore[union-attr]


def test_the_object_is_deleted_with_a_row_and_never_with_a_rejection() -> None:
    pointed = packed('envelope = ["s3-pointer"]\ndelete_payload = true')

    row = outcome(pointed, pointer("good"), good=login(1))
    rejected = outcome(pointed, pointer("bad"), bad="{}")
    inline = outcome(pointed, login(1))
    kept = outcome(packed('envelope = ["s3-pointer"]'), pointer("good"), good=login(1))

    assert row.receipt.payload == Payload("big", "good")
    assert (rejected.receipt.payload, inline.receipt.payload, kept.receipt.payload) == (None, None, None)


FORMATS = st.builds(
    MessageFormat,
    envelopes=st.lists(st.sampled_from(Envelope), unique=True, max_size=3).map(tuple),
    packings=st.lists(st.sampled_from(Packing), max_size=2).map(tuple),
)
PIECES = st.recursive(
    st.one_of(st.just(login(1)), st.text(max_size=10), st.sampled_from(["[]", "3", '{"specversion":"1.0"}', "\ud800"])),
    lambda inner: st.one_of(
        inner.map(in_sns),
        inner.map(lambda text: in_base64(gzip.compress(text.encode("utf-8", "surrogatepass")))),
        inner.map(lambda text: in_base64(zstandard.compress(text.encode("utf-8", "surrogatepass")))),
        inner.map(lambda text: in_eventbridge(json.dumps(text))),
        st.just(pointer("0f1a")),
    ),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(FORMATS, PIECES)
def test_whatever_is_in_whatever_it_is_opened_or_refused(message_format: MessageFormat, body: str) -> None:
    recognize(body)
    with contextlib.suppress(InvalidValueError):
        MessageOpener(message_format, Objects(**{"0f1a": login(4)})).open(body)


def test_a_definition_names_the_attributes_that_receiving_has_to_ask_for() -> None:
    assert parse_stream(LOGINS, "t").attribute_names == frozenset()
    assert parse_stream(f'{LOGINS}[match]\n"attribute:kind" = "a"', "t").attribute_names == {"kind"}
