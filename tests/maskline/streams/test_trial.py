"""A definition is tried on messages without queue, keyset and database, and says itself what becomes of some."""

from __future__ import annotations

import json

import pytest

from maskline.errors import StreamDefinitionError, UsageError
from maskline.records import Reason
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.message_file import SampleMessage, parse_messages
from maskline.streams.stream_set import StreamSet
from maskline.streams.trial import FailedExample, StreamTrial, Trial, failed_examples, hide_masked

ORDERS = """
name = "orders"
table = "orders"
[match]
"kind" = "placed"
[columns.id]
type = "bigint"
[columns.masked_email]
field = "customer.email"
type = "text"
pii = true
nullable = true
[columns.total]
type = "numeric(12, 2)"
[columns.placed_at]
type = "timestamptz"
[columns.tags]
type = "text[]"
clear = true
[columns.raw]
field = "."
type = "jsonb"
clear = true
"""
PLACED = (
    '{"kind":"placed","id":7,"customer":{"email":"ann@x.de"},"total":1.10,'
    '"placed_at":"2026-01-31T12:00:00+01:00","tags":["a"]}'
)


def orders(*tests: str) -> StreamDefinition:
    """Return the definition with some [[test]] tables."""
    return parse_stream(ORDERS + "".join(f"[[test]]\n{test}\n" for test in tests), "orders.toml")


def row(**values: object) -> str:
    """Return a [[test]] that expects values."""
    pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
    return f"body = '{PLACED}'\nrow = {{ {pairs} }}"


def test_a_message_is_tried_and_personal_values_can_be_hidden() -> None:
    stream = orders()

    trial = StreamTrial(StreamSet((stream,))).try_message(PLACED)

    assert trial == Trial(
        "orders",
        {
            "id": 7,
            "masked_email": "ann@x.de",
            "total": "1.10",
            "placed_at": "2026-01-31T11:00:00Z",
            "tags": ["a"],
            "raw": PLACED,
        },
    )
    assert trial.row is not None
    assert hide_masked(trial.row, stream)["masked_email"] == "(masked)"
    assert hide_masked({"masked_email": None, "id": 7}, stream) == {"masked_email": None, "id": 7}
    assert "ann" not in repr(trial)


@pytest.mark.parametrize(
    ("body", "trial"),
    [
        ('{"kind":"x"}', Trial("-", None, Reason.NO_STREAM, "no stream's [match] holds")),
        ("hello", Trial("-", None, Reason.NOT_JSON, "not JSON: Expecting value at character 0")),
        (
            PLACED.replace("7", '"7"', 1),
            Trial("orders", None, Reason.WRONG_TYPE, "field id is a string, not an integer"),
        ),
    ],
)
def test_a_message_that_would_be_rejected_says_why(body: str, trial: Trial) -> None:
    assert StreamTrial(StreamSet((orders(),))).try_message(body) == trial


def test_what_a_definition_says_of_its_messages_holds() -> None:
    stream = orders(
        row(id=7, total=1.1, placed_at="2026-01-31T11:00:00Z", tags=["a"], raw=PLACED, masked_email="ann@x.de"),
        'body = \'{"kind":"placed"}\'\nrejected = "missing_field"',
        "body = '{}'\nrejected = \"no_stream\"",
        "body = '" + PLACED.replace('"ann@x.de"', "null") + '\'\nnull = ["masked_email"]',
    )

    assert failed_examples(stream) == []


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        (row(id=8), "column id is 7"),
        (row(id=7, total=1.11), "column total is '1.10'"),
        (row(placed_at="2026-01-31T12:00:00Z"), "column placed_at is '2026-01-31T11:00:00Z'"),
        (row(placed_at="noon"), "column placed_at is '2026-01-31T11:00:00Z'"),
        (row(tags=["a", "b"]), "column tags is ['a']"),
        (row(tags="a"), "column tags is ['a']"),
        (row(id=True), "column id is 7"),
        (row(masked_email="bob@x.de"), "column masked_email is '(masked)'"),
        (f"body = '{PLACED}'\nnull = [\"masked_email\"]", "column masked_email is '(masked)'"),
        (f"body = '{PLACED}'\nrejected = \"not_json\"", "becomes a row, and is not rejected as not_json"),
        (
            "body = 'hello'\nrow = { id = 1 }",
            "is rejected as not_json (not JSON: Expecting value at character 0), not a row",
        ),
        (
            "body = 'hello'\nrejected = \"no_stream\"",
            "is rejected as not_json (not JSON: Expecting value at character 0), not rejected as no_stream",
        ),
    ],
)
def test_what_does_not_hold_is_named_without_a_personal_value(test: str, problem: str) -> None:
    assert failed_examples(orders(row(id=7), test)) == [FailedExample(2, problem)]


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (row(nothing=1), "[[test]] 1: 'nothing' is none of the columns"),
        (
            "body = 'x'",
            '[[test]] 1: says what becomes of the body: row = {…}, or rejected = "REASON"',
        ),
        ("body = 'x'\nrejected = \"sometimes\"", "Invalid enum value 'sometimes' - at `$.test[0].rejected`"),
    ],
)
def test_a_test_that_says_nothing_is_refused(test: str, why: str) -> None:
    with pytest.raises(StreamDefinitionError) as refusal:
        orders(test)

    assert str(refusal.value) == f"stream orders.toml: {why}"


AS_SQS_GIVES_IT = {"Body": "hello", "MessageAttributes": {"tenant": {"DataType": "String", "StringValue": "eu"}}}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ('{"a":1}\n\nhello\r\n{"Body":3}\n', ['{"a":1}', "hello", '{"Body":3}']),
        ('\ufeff{"a":1}', ['{"a":1}']),
        ("[1]\n\ud800", ["[1]", "\ud800"]),
        (json.dumps({"Messages": [{"Body": "a"}, {"Body": "b"}]}, indent=2), ["a", "b"]),
        (json.dumps({"Messages": [{"Body": "a"}]}) + "\nb\n", ["a", "b"]),
        ('{\n "a": 1\n}\n', ['{\n "a": 1\n}']),
        (json.dumps(AS_SQS_GIVES_IT, indent=2), ["hello"]),
        ('{"a":' * 100_000, ['{"a":' * 100_000]),
    ],
)
def test_a_file_has_a_body_a_line_or_what_sqs_answered(text: str, messages: list[str]) -> None:
    assert [message.body for message in parse_messages(text, "m.jsonl")] == messages


def test_a_message_as_sqs_gives_it_has_its_attributes() -> None:
    (message,) = parse_messages(json.dumps(AS_SQS_GIVES_IT), "m.jsonl")

    assert message == SampleMessage("hello", {"tenant": "eu"})
    assert "hello" not in repr(message)


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_message_is_said_to_be_so(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_messages(text, "m.jsonl")

    assert str(refusal.value) == ("messages m.jsonl: holds none; write one body a line, or what ReceiveMessage answers")
