"""Messages in what queues put around them, and what becomes of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Payload, Rejection, SqsMessage
from maskline.streams.definition import parse_stream
from maskline.streams.masking import MessageMasker
from tests.maskline.keysets import opened

MASKER = Masker(opened(7))

LOGINS = """
name = "logins"
table = "logins"
[columns.user_id]
type = "text"
clear = true
[columns.masked_ip]
field = "ip"
type = "text"
mask = "deterministic"
[columns.locale]
type = "varchar(2)"
values = ["RU", "DE"]
"""


def login(number: int) -> str:
    """Return a login as text."""
    return (
        f'{{"user_id":"u{number}","app_version":"2.3.0","device_type":"iOS","ip":"203.0.113.{number}","locale":"RU",'
        f'"device_id":"d{number}"}}'
    )


class Objects:
    """A store of objects, by bucket and key."""

    def __init__(self, **objects: str) -> None:
        self._objects = objects

    def fetch(self, payload: Payload, max_bytes: int) -> bytes:
        assert payload.bucket == "big"
        return self._objects[payload.key].encode()


def outcome(
    definition: str, body: str, attributes: Mapping[str, str] | None = None, **objects: str
) -> MaskedRow | Rejection:
    """Return what becomes of a message."""
    masker = MessageMasker(parse_stream(definition, "test.toml"), opened(7), Objects(**objects))
    return masker.mask(SqsMessage("id", "handle", body, datetime(2026, 1, 31, tzinfo=UTC), 1, attributes))


def values(
    definition: str, body: str, attributes: Mapping[str, str] | None = None, **objects: str
) -> tuple[object, ...]:
    """Return the values of the row that a message becomes."""
    row = outcome(definition, body, attributes, **objects)
    assert isinstance(row, MaskedRow), row
    return row.values


def packed(envelope: str) -> str:
    """Return the definition of logins with a [message]."""
    return f"{LOGINS}[message]\n{envelope}\n"


def row_of(number: int) -> tuple[object, ...]:
    """Return the row that a login becomes."""
    return (f"u{number}", MASKER.mask(f"203.0.113.{number}", "logins.masked_ip"), "RU")


def in_sns(message: str) -> str:
    """Return a notification of SNS."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:t",
            "Message": message,
            "Timestamp": "2026-01-31T12:00:00.000Z",
            "MessageAttributes": {"tenant": {"Type": "String", "Value": "eu"}},
        }
    )


def in_eventbridge(detail: str) -> str:
    """Return an event of EventBridge."""
    return (
        '{"version":"0","id":"6a7e8feb","detail-type":"login","source":"app","time":"2026-01-31T12:00:00Z",'
        f'"detail":{detail}}}'
    )


def pointer(key: str, class_name: str = "software.amazon.payloadoffloading.PayloadS3Pointer") -> str:
    """Return a pointer of the SQS Extended Client."""
    return json.dumps([class_name, {"s3BucketName": "big", "s3Key": key}])


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
