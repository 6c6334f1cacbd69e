"""How a body seems to be packed, for definitions that do not say so."""

from __future__ import annotations

from collections.abc import Mapping

from maskline.streams.failures import InvalidValueError
from maskline.streams.json_text import BYTE_ORDER_MARK
from maskline.streams.message_format import Envelope, MessageFormat, Packing
from maskline.streams.opening import (
    MAX_RECORD_BYTES,
    Opened,
    open_cloudevents,
    open_eventbridge,
    open_sns,
    payload_of,
    read_content,
)
from maskline.streams.payloads import PayloadStore
from maskline.streams.unpacking import compression_of, unpack

_OPENERS = {
    Envelope.SNS: open_sns,
    Envelope.EVENTBRIDGE: open_eventbridge,
    Envelope.CLOUDEVENTS: open_cloudevents,
}


def recognize(
    body: str, attributes: Mapping[str, str] | None = None, payloads: PayloadStore | None = None
) -> MessageFormat:
    """Return the format that a body seems to have; the plain format if none is recognized.

    Args:
        body: The body as SQS gave it.
        attributes: Its message attributes.
        payloads: Where objects that messages point to are fetched from; if None, what is inside them is not known.

    Raises:
        InvalidValueError: The object that it points to is not to be had.
        MasklineError: The store of the objects does not answer, or cannot be used.
    """
    opened = Opened(attributes)
    envelopes: list[Envelope] = []
    content: object = body
    while (envelope := _envelope_around(content, opened, envelopes)) is not None:
        envelopes.append(envelope)
        if envelope is not Envelope.S3_POINTER:
            content = _OPENERS[envelope](content, opened)
            continue
        payload = payload_of(content)
        if payload is None or payloads is None:
            return MessageFormat(envelopes=tuple(envelopes))
        content = payloads.fetch(payload, MAX_RECORD_BYTES)
    return MessageFormat(envelopes=tuple(envelopes), packings=_packings_of(content))


def difference(body: str, attributes: Mapping[str, str] | None, format: MessageFormat) -> str | None:  # noqa: A002
    """Return how a definition should describe the packing of a body; None if it does, or if none is recognized.

    Args:
        body: The body as SQS gave it.
        attributes: Its message attributes.
        format: What the definition says.
    """
    seen = recognize(body, attributes)
    lines = []
    if seen.envelopes and seen.envelopes != format.envelopes:
        lines.append(f"envelope = [{_quoted(seen.envelopes)}]")
    if seen.packings and seen.packings != format.packings:
        lines.append(f"decode = [{_quoted(seen.packings)}]")
    return f"the body looks like [message] {' and '.join(lines)}" if lines else None


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _envelope_around(content: object, opened: Opened, before: list[Envelope]) -> Envelope | None:
    try:
        if Envelope.S3_POINTER not in before and payload_of(content) is not None:
            return Envelope.S3_POINTER
    except InvalidValueError:
        return None
    for envelope, open_envelope in _OPENERS.items():
        try:
            if envelope not in before:
                open_envelope(content, Opened(opened.attributes))
                return envelope
        except InvalidValueError:
            continue
    return None


def _packings_of(content: object) -> tuple[Packing, ...]:
    packings: list[Packing] = []
    try:
        while isinstance(content, str | bytes):
            packing = _packing_of(content)
            if packing is None:
                return tuple(packings) if type(read_content(content)) is dict else ()
            content = unpack(content, (packing,), MAX_RECORD_BYTES)
            packings.append(packing)
    except InvalidValueError:
        return ()
    return ()


def _packing_of(content: str | bytes) -> Packing | None:
    if isinstance(content, str):
        start = content.removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
        return {"{": None, "[": None, '"': Packing.JSON}.get(start, Packing.BASE64)
    return compression_of(content)


def _is_record(content: str | bytes) -> bool:
    return type(read_content(content)) is dict
