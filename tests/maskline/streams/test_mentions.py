"""A rejected message is somebody's by what is in it, and never on a likeness."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime

import pytest

from maskline.records import SqsMessage
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.kept_message import kept_text
from maskline.streams.mentions import MessageJudge, Verdict
from maskline.streams.subjects import find_subjects

THEIRS, NOT_THEIRS, UNDECIDED = Verdict.THEIRS, Verdict.NOT_THEIRS, Verdict.UNDECIDED
CAROL = '{"user_id": "carol", "ip": "203.0.113.7"}'
SNS = {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-central-1:123456789012:t"}
ORDERS = """
name = "orders"
table = "orders"
[message]
envelope = ["sns"]
[subject]
columns = ["customer"]
[columns.customer]
field = "buyer.id"
type = "bigint"
"""


def judged(person: str, body: str, stream: StreamDefinition, by: str = "user_id") -> Verdict:
    """Judge a body of a stream for one person."""
    return MessageJudge(find_subjects([stream], by), by, [person]).verdict(stream.name, body)


@pytest.mark.parametrize(
    "body",
    [
        CAROL,
        '{"userId": "carol"}',
        '{"user": {"id": "carol"}, "ip": "203.0.113.7"}',
        '{"user-id": "carol", "referrer": "eve"}',
        '{"login": [{"user_id": "carol"}]}',
        json.dumps(SNS | {"Message": CAROL}),
        json.dumps(SNS | {"Message": "x", "MessageAttributes": {"userId": {"Type": "String", "Value": "carol"}}}),
        json.dumps(CAROL),
        json.dumps({"log": CAROL, "level": "info"}),
        json.dumps(json.dumps(json.dumps({"detail": CAROL}))),
        base64.b64encode(CAROL.encode()).decode(),
        base64.b64encode(gzip.compress(CAROL.encode(), mtime=0)).decode(),
        "user_id=carol&ip=203.0.113.7",
        "login failed: user_id=carol",
        "%7B%22user_id%22%3A%22carol%22%7D",
        r'{"user_id": "\u0063arol"}',
        r'{"user_id": "\u0063arol", "ip": "203.0.1',
        '{"user_id": "carol", "ip": "203.0.1',
        json.dumps(json.dumps({"user_id": "carol", "ip": "x"}))[:-12],
        '{"user_id"=>"carol", "ip"=>"203.0.113.7"}',
        "{:user_id => 'carol'}",
        "login == {user_id := carol}",
        '{"user_id": {"S": "carol"}}',
        '{"user_id": {"string": "carol"}}',
        "<login><user_id>carol</user_id></login>",
        '<l:login xmlns:l="urn:l"><l:userId type="text"> carol </l:userId></l:login>',
    ],
)
def test_a_message_whose_own_field_names_them_is_theirs(user_logins: StreamDefinition, body: str) -> None:
    assert judged("carol", body, user_logins) is THEIRS


@pytest.mark.parametrize(
    ("person", "body"),
    [
        ("Anna Maria", "login failed: user_id=Anna Maria"),
        ("Anna Maria", "user_id: Anna Maria logged in"),
        ("Anna Maria", "no JSON: user_id = 'Anna Maria', ip = 'x'"),
        ("Anna Maria", "{'user_id' => \"Anna Maria\"}"),
        ("42", "<userId>42</userId>"),
        ("42", '{"user_id": 42.0}'),
        ("42", '{"user_id": {"N": "42"}}'),
        ("42", '{"user_id": {"$numberLong": "42"}}'),
        ("42", '{"user_id": {"long": 42}}'),
    ],
)
def test_a_person_is_named_however_the_value_is_written(user_logins: StreamDefinition, person: str, body: str) -> None:
    assert judged(person, body, user_logins) is THEIRS


@pytest.mark.parametrize(
    ("person", "body"),
    [
        ("1", "user=eve ip=198.51.100.1 v=2"),
        ("1", '{"user_id": "bob", "app_version": "1.0", "ip": "198.51.10'),
        ("1", '{"user_id": "bob", "count": 1}'),
        ("1", '{"user_id": "12", "app_version": "1"}'),
        ("1", "retry 1 of 3"),
        ("carol", '{"user_id": "another", "friend": "carol"}'),
        ("carol", '{"user_id": "another", "friend": {"user_id": "carol"}}'),
        ("carol", '{"user_id": "carol-not-them"}'),
        ("carol", "not JSON: carolx"),
        ("carol", '{"foo": "oops"}'),
        ("12", '{"user_id": "12345", "ip'),
        ("491701", '{"user_id": "bob", "amount": 491701}'),
    ],
)
def test_a_likeness_is_nobody(user_logins: StreamDefinition, person: str, body: str) -> None:
    assert judged(person, body, user_logins) is NOT_THEIRS


@pytest.mark.parametrize(
    ("person", "body"),
    [
        ("carol", "login of carol failed"),
        ("491701234567", "call from 491701234567"),
        ("carol", '{"user_id": "carol", "user_id": "another"}'),
        ("carol", '{"name": "eve", "friend": {"user_id": "carol"}}'),
        ("carol", '[{"user_id": "carol"}, {"user_id": "another"}]'),
        ("carol", '{"user_id": "caro'),
        ("Anna Maria", '{"user_id": "Anna Mar'),
        ("carol", '{"user_id": "carol "}'),
        ("carol", '{"user_id": "CAROL"}'),
        ("1234567", "<logins><user_id>1234567</user_id><user_id>8</user_id></logins>"),
        ("carol", '{"friend": "carol"}'),
        (
            "carol",
            '["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"big","s3Key":"0f1a"}]',
        ),
        ("carol", base64.b64encode(gzip.compress(CAROL.encode(), mtime=0)[:30]).decode()),
    ],
)
def test_what_does_not_say_whose_it_is_is_left_to_a_person(
    user_logins: StreamDefinition, person: str, body: str
) -> None:
    assert judged(person, body, user_logins) is UNDECIDED


def test_the_field_of_the_definition_decides_and_its_type_says_what_is_equal() -> None:
    orders = parse_stream(ORDERS, origin="orders")
    message = {"kind": "x", "buyer": {"id": 7, "friend": {"buyer_id": 8}}}

    body = json.dumps(SNS | {"Message": json.dumps(message)})

    assert judged("7", body, orders, by="buyer.id") is THEIRS
    assert judged("07", body, orders, by="buyer.id") is NOT_THEIRS
    assert judged("8", body, orders, by="customer") is NOT_THEIRS


@pytest.mark.parametrize("name", ["userId", "user.id"])
def test_a_message_attribute_says_whose_a_message_is_too(user_logins: StreamDefinition, name: str) -> None:
    message = SqsMessage("id", "handle", "no JSON", datetime(2026, 1, 31, tzinfo=UTC), 1, {name: "carol"})

    kept = kept_text(message)

    assert judged("carol", kept, user_logins) is THEIRS
    assert judged("dan", kept, user_logins) is NOT_THEIRS


def test_a_rejection_of_a_stream_that_nobody_gave_is_judged_by_names(user_logins: StreamDefinition) -> None:
    judge = MessageJudge(find_subjects([user_logins], "user_id"), "user_id", ["carol"])

    assert judge.verdict("-", CAROL) is THEIRS
    assert judge.verdict("orders", '{"order": 1, "userId": "carol"}') is THEIRS
