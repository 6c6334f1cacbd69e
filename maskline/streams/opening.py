"""From the body of a message to its record: envelopes opened from the outside in, text unpacked, root found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from maskline.records import Payload, Reason
from maskline.streams.columns import Origin, Source
from maskline.streams.failures import InvalidValueError, json_name
from maskline.streams.json_text import BYTE_ORDER_MARK, decode_json
from maskline.streams.message_format import Envelope, MessageFormat, Packing
from maskline.streams.paths import ABSENT
from maskline.streams.payloads import POINTER_CLASSES, PayloadStore
from maskline.streams.stream import CLOUDEVENTS_PREFIX
from maskline.streams.unpacking import text_of, unpack

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""The most that an object in S3 may hold, and a text unpack to; as much as a micro-batch holds."""

NO_ATTRIBUTES: Mapping[str, str] = {}


class Opened:
    """A record, and the envelopes around it.

    Attributes:
        record: The record.
        attributes: The attributes of the message, and over them those of an SNS notification in it.
        envelopes: What stood in each envelope, the innermost first.
        payload: The object in S3 that held the record, or None.
    """

    __slots__ = ("attributes", "envelopes", "payload", "record")

    def __init__(self, attributes: Mapping[str, str] | None) -> None:
        self.record: dict[str, object] = {}
        self.attributes = attributes or NO_ATTRIBUTES
        self.envelopes: list[Mapping[str, object]] = []
        self.payload: Payload | None = None

    def in_envelope(self, name: str) -> object:
        """Return a field of the innermost envelope that has it, or `ABSENT`."""
        for envelope in self.envelopes:
            if name in envelope:
                return envelope[name]
        return ABSENT


Content = object
"""What is inside an envelope: text that is still to be read, bytes, or a JSON value that came with the envelope."""

Open = Callable[[Content, Opened], Content]


class MessageOpener:
    """Opens the messages of one format.

    Args:
        format: What is around a record.
        payloads: Where objects that messages point to are fetched from.
        max_bytes: The most that an object may hold, and a text unpack to.
    """

    def __init__(
        self,
        format: MessageFormat,  # noqa: A002
        payloads: PayloadStore,
        max_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self._payloads = payloads
        self._max_bytes = max_bytes
        openers: dict[Envelope, Open] = {
            Envelope.SNS: open_sns,
            Envelope.EVENTBRIDGE: open_eventbridge,
            Envelope.CLOUDEVENTS: open_cloudevents,
            Envelope.S3_POINTER: self._open_pointer,
        }
        self._open_envelopes = [openers[envelope] for envelope in format.envelopes]
        self._packings = format.packings
        self._root = format.root
        self._find_root = format.root.finder() if format.root else None

    def open(self, body: str, attributes: Mapping[str, str] | None = None) -> Opened:
        """Open one message.

        Args:
            body: The body as SQS gave it.
            attributes: Its message attributes.

        Raises:
            InvalidValueError: There is no record in it.
            PayloadUnavailableError: S3 did not give out the object that it points to.
            PayloadError: S3 cannot be used at all.
        """
        opened = Opened(attributes)
        content: Content = body
        for open_envelope in self._open_envelopes:
            content = open_envelope(content, opened)
        if self._packings:
            content = self._unpacked(content)
        document = read_record(content)
        opened.record = document if self._find_root is None else self._at_root(document)
        return opened

    def _unpacked(self, content: Content) -> str | bytes:
        if not isinstance(content, str | bytes):
            names = ", ".join(self._packings)
            raise InvalidValueError(Reason.NOT_UNPACKED, f"is JSON in its envelope, and no text in {names}")
        return unpack(content, self._packings, self._max_bytes)

    def _at_root(self, document: dict[str, object]) -> dict[str, object]:
        assert self._root is not None
        assert self._find_root is not None
        try:
            found = self._find_root(document)
            if type(found) is str:  # as a payload often stands in a field of its own
                found = decode_json(found)
        except InvalidValueError as rejection:
            raise InvalidValueError(rejection.reason, f"root {self._root.text} {rejection.detail}") from None
        if found is ABSENT:
            raise InvalidValueError(Reason.MISSING_FIELD, f"root {self._root.text} missing")
        if type(found) is not dict:
            detail = f"root {self._root.text} is {json_name(found)}, not an object"
            raise InvalidValueError(Reason.NOT_AN_OBJECT, detail)
        self._check_alone(document)
        return found

    def _check_alone(self, document: object) -> None:
        """Refuse a message that has more records behind the one at the root: one row of it would lose the others."""
        assert self._root is not None
        inner: Any = document
        for step in self._root.steps:
            if isinstance(step, int) and len(inner) > step + 1:
                detail = f"root {self._root.text} is one of {len(inner):,} elements, and a message is one row"
                raise InvalidValueError(Reason.NOT_AN_OBJECT, detail)
            inner = inner[step]

    def _open_pointer(self, content: Content, opened: Opened) -> Content:
        """Fetch what a message points to; one that came with its record in it is left as it is."""
        payload = payload_of(content)
        if payload is None:
            return content
        opened.envelopes.insert(0, {"s3BucketName": payload.bucket, "s3Key": payload.key})
        opened.payload = payload
        return self._payloads.fetch(payload, self._max_bytes)


def source_finder(source: Source) -> Callable[[Opened], object]:
    """Return a function that finds a source's value in an opened message, or `ABSENT`.

    The function raises an `InvalidValueError` where the record is of another shape than the path.
    """
    name = source.path.text
    if source.origin is Origin.ATTRIBUTE:
        return lambda opened: opened.attributes.get(name, ABSENT)
    if source.origin is Origin.ENVELOPE:
        return lambda opened: opened.in_envelope(name)
    find = source.path.finder()
    return lambda opened: find(opened.record)


def read_content(content: Content) -> object:
    """Return the content of an envelope as a JSON value; text is read as JSON.

    Raises:
        InvalidValueError: It is text and not JSON.
    """
    return decode_json(text_of(content)) if isinstance(content, str | bytes) else content


def read_record(content: Content) -> dict[str, object]:
    """Return the content of an envelope as a JSON object.

    Raises:
        InvalidValueError: The content is not a JSON object.
    """
    document = decode_json(content) if type(content) is str else read_content(content)
    if type(document) is not dict:
        raise InvalidValueError(Reason.NOT_AN_OBJECT, f"the JSON is {json_name(document)}, not an object")
    return document


def payload_of(content: Content) -> Payload | None:
    """Return the object that a message of the Extended Client points to, or None where it points to none.

    Raises:
        InvalidValueError: It is a pointer that names no object, or an array that is not JSON.
    """
    text = text_of(content) if isinstance(content, bytes) else content
    if not isinstance(text, str) or not text.removeprefix(BYTE_ORDER_MARK).lstrip().startswith("["):
        return None  # a record is an object, and costs no second look
    match decode_json(text):
        case [str(name), {"s3BucketName": str(bucket), "s3Key": str(key)}] if name in POINTER_CLASSES:
            return Payload(bucket, key)
        case [str(name), *_] if name in POINTER_CLASSES:
            raise InvalidValueError(Reason.NO_ENVELOPE, "is a pointer to S3 without s3BucketName and s3Key")
    return None


def open_sns(content: Content, opened: Opened) -> Content:
    """Open an SNS notification. With raw message delivery there is none, so leave ``sns`` out of the definition.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    envelope = _envelope(content, "an SNS notification; with raw message delivery there is none")
    if envelope.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        raise InvalidValueError(Reason.NO_ENVELOPE, "is what SNS writes about a subscription, and no notification")
    message = envelope.get("Message")
    if envelope.get("Type") != "Notification" or type(message) is not str:
        raise _no_envelope("an SNS notification; with raw message delivery there is none")
    attributes = envelope.get("MessageAttributes")
    if type(attributes) is dict:
        opened.attributes = {**opened.attributes, **_sns_attributes(attributes)}
    opened.envelopes.insert(0, envelope)
    return message


def _sns_attributes(attributes: dict[str, object]) -> dict[str, str]:
    values = {name: given.get("Value") for name, given in attributes.items() if type(given) is dict}
    return {name: value for name, value in values.items() if type(value) is str}


def open_eventbridge(content: Content, opened: Opened) -> Content:
    """Open an event of EventBridge.

    Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    envelope = _envelope(content, "an event of EventBridge")
    if "detail" not in envelope or "detail-type" not in envelope:
        raise _no_envelope("an event of EventBridge")
    opened.envelopes.insert(0, envelope)
    return envelope["detail"]


def open_cloudevents(content: Content, opened: Opened) -> Content:
    """Open a CloudEvent: structured, or in binary mode, in which its attributes are message attributes.

    Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
    """
    if CLOUDEVENTS_PREFIX + "specversion" in opened.attributes:
        names = [name for name in opened.attributes if name.startswith(CLOUDEVENTS_PREFIX)]
        opened.envelopes.insert(0, {name.removeprefix(CLOUDEVENTS_PREFIX): opened.attributes[name] for name in names})
        return content
    envelope = _envelope(content, "a CloudEvent")
    if "specversion" not in envelope:
        raise _no_envelope("a CloudEvent")
    opened.envelopes.insert(0, envelope)
    if "data" in envelope:
        return envelope["data"]
    encoded = envelope.get("data_base64")
    if type(encoded) is not str:
        raise InvalidValueError(Reason.NO_ENVELOPE, "is a CloudEvent without data")
    return unpack(encoded, (Packing.BASE64,), len(encoded))


def _envelope(content: Content, what: str) -> dict[str, object]:
    envelope = read_content(content)
    if type(envelope) is not dict:
        raise _no_envelope(what)
    return envelope


def _no_envelope(what: str) -> InvalidValueError:
    return InvalidValueError(Reason.NO_ENVELOPE, f"is not {what}")
