"""The data that flows from the queue to the table.

Each record's ``repr`` shows what an operator needs to find a message again and nothing that was in it: Beam puts
the ``repr`` of an element into its own errors, and those end in logs.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec


class Reason(enum.StrEnum):
    """Why a message was rejected. The values are stored, counted and shown; they never change."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY = "duplicate_key"
    MISSING_FIELD = "missing_field"
    NULL_FIELD = "null_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    INVALID_TEXT = "invalid_text"
    REFUSED_BY_DATABASE = "refused_by_database"
    UNEXPECTED = "unexpected"
    NOT_ALLOWED = "not_allowed"
    UNKNOWN_FIELD = "unknown_field"
    NO_ENVELOPE = "no_envelope"
    NOT_UNPACKED = "not_unpacked"
    TOO_LARGE = "too_large"
    PAYLOAD_GONE = "payload_gone"
    PAYLOAD_DENIED = "payload_denied"
    NO_STREAM = "no_stream"


class Redacted(msgspec.Struct, frozen=True, gc=False):
    """A record that is shown by its ``repr`` alone; rich would otherwise show all of its fields.

    None can be part of a cycle, so the garbage collector need not look at thousands of them again and again.
    """

    def __rich_repr__(self) -> Iterator[str]:  # type: ignore[override]  # rich takes single values, too
        """Show what ``repr`` shows."""
        yield repr(self)


class SqsMessage(Redacted, frozen=True):
    """One message as SQS delivered it, personal data in clear.

    Attributes:
        message_id: The MessageId that SQS gave it, a UUID in its canonical text form. It stays the same over all
            deliveries of the message.
        receipt_handle: The handle of *this* delivery, which deletes it or extends its visibility time-out.
        body: The body as sent.
        sent_at: When the queue accepted it (SentTimestamp), UTC.
        receive_count: How often it was delivered so far, this time included (ApproximateReceiveCount).
        attributes: Its message attributes as text by name, those of type Binary in base64; None where there are none,
            or nobody asked for them.
        attribute_types: SQS's DataType of each, ``String`` or ``Number.cents`` say; None where there are none.
    """

    message_id: str
    receipt_handle: str
    body: str
    sent_at: datetime
    receive_count: int
    attributes: Mapping[str, str] | None = None
    attribute_types: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        """Name the message without showing its body."""
        return f"SqsMessage({self.message_id}, sent {self.sent_at:%FT%TZ}, delivery {self.receive_count})"


class OutgoingMessage(Redacted, frozen=True):
    """A message to send.

    Attributes:
        body: Its body.
        attributes: Its message attributes as text by name, those of type Binary in base64; or None.
        attribute_types: SQS's DataType of each that is not a ``String``.
        deduplication_id: What a FIFO queue knows it by for five minutes; one of its own if None.
    """

    body: str
    attributes: Mapping[str, str] | None = None
    attribute_types: Mapping[str, str] | None = None
    deduplication_id: str | None = None

    def __repr__(self) -> str:
        """Say how long the body is, and nothing of it."""
        return f"OutgoingMessage({len(self.body)} characters)"


class LeftMessage(Redacted, frozen=True):
    """A message that no stream takes, and that stays in its queue for another consumer.

    Attributes:
        receipt: The delivery that is given back.
        receive_count: How often it was delivered so far.
    """

    receipt: Receipt
    receive_count: int

    def __repr__(self) -> str:
        """Name the message."""
        return f"LeftMessage({self.receipt.message_id})"


class Payload(Redacted, frozen=True):
    """An object in S3 that a message points to, and that holds what the message is about.

    Attributes:
        bucket: Its bucket.
        key: Its key.
    """

    bucket: str
    key: str

    def __repr__(self) -> str:
        """Name the bucket; the key is the producer's, and may tell anything."""
        return f"Payload(in {self.bucket})"


class Receipt(Redacted, frozen=True):
    """What is needed to delete one delivery of a message.

    Attributes:
        message_id: The MessageId, for the log.
        receipt_handle: The handle of the delivery.
        payload: The object that is to be deleted after the message, or None. A rejection has none: its body is kept,
            which is a pointer to that object.
    """

    message_id: str
    receipt_handle: str
    payload: Payload | None = None

    def __repr__(self) -> str:
        """Name the message."""
        return f"Receipt({self.message_id})"


class MaskedRow(Redacted, frozen=True):
    """One message ready for its table: values of masked columns are tokens, and no personal data is in clear.

    Attributes:
        receipt: What deletes the message once the row is committed.
        sent_at: SentTimestamp, UTC.
        receive_count: How often the message was delivered so far.
        key_id: The id of the key that made the row's tokens.
        values: The values of the stream's columns, in the order of its definition.
        sealed_body: The body encrypted, kept in case Postgres rejects the row (see ``Rejection``).
        stream: The name of its stream.
        subjects: Fingerprints of whose it is (see `maskline.masks.fingerprints`); none where that is nobody.
    """

    receipt: Receipt
    sent_at: datetime
    receive_count: int
    key_id: int
    values: tuple[object, ...]
    sealed_body: bytes
    stream: str = ""
    subjects: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        """Name the row without its values."""
        return f"MaskedRow({self.receipt.message_id})"


class Rejection(Redacted, frozen=True):
    """One message that cannot become a row, kept with its body encrypted.

    Attributes:
        receipt: What deletes the message once the rejection is committed.
        stream: The name of the stream that rejected it.
        reason: Why, as a word to count by.
        detail: Why, as a sentence with names of fields and never a value.
        sent_at: SentTimestamp, UTC.
        receive_count: How often the message was delivered so far.
        key_id: The id of the key that sealed the body.
        sealed_body: The body as sent, encrypted.
        subjects: Fingerprints of whose it is, as far as what is in it says; none where that is nobody.
    """

    receipt: Receipt
    stream: str
    reason: Reason
    detail: str
    sent_at: datetime
    receive_count: int
    key_id: int
    sealed_body: bytes
    subjects: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        """Name the message and the reason."""
        return f"Rejection({self.receipt.message_id}, {self.reason})"


class RejectedRecord(Redacted, frozen=True):
    """One record from elsewhere than SQS that cannot be masked, kept with its text encrypted.

    Attributes:
        stream: The name of the stream that rejected it.
        reason: Why, as a word to count by.
        detail: Why, as a sentence with names of fields and never a value.
        key_id: The id of the key that sealed the body.
        sealed_body: The record's text, encrypted; `maskline.Masker.unseal_body` gives it back.
    """

    stream: str
    reason: Reason
    detail: str
    key_id: int
    sealed_body: bytes

    def __repr__(self) -> str:
        """Name the stream and the reason."""
        return f"RejectedRecord({self.stream}, {self.reason})"
