"""An example of a stream's messages, made up from its definition: it becomes a row, and no value in it is anybody's.

It is for drafted definitions, which say of each column where it comes from and what it may be.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import zstandard

from maskline.drafting import toml
from maskline.errors import UsageError
from maskline.streams.columns import Column, Origin, Plain, Source
from maskline.streams.message_file import SampleMessage
from maskline.streams.message_format import Envelope, MessageFormat, Packing
from maskline.streams.paths import EVERY, Step
from maskline.streams.stream import StreamDefinition
from maskline.streams.stream_set import StreamSet
from maskline.streams.times import EPOCH_FORMATS
from maskline.streams.trial import StreamTrial

_DAY = "2026-01-31"
_TIME = f"{_DAY}T12:00:00Z"
_SECONDS = 1_769_860_800
"""The same time, in seconds."""

_NUMBER = 7
_FRACTION = 1.5
_UUID = "00000000-0000-4000-8000-000000000007"
_LITERAL_QUOTES = "'''"


def example_message(stream: StreamDefinition) -> SampleMessage:
    """Make up a message of a stream.

    Args:
        stream: The stream, as `draft_definition` writes one.

    Raises:
        UsageError: A definition of this kind has no message that can stand in a text.
    """
    record: dict[str, Any] = {}
    around: dict[str, object] = {}
    attributes: dict[str, str] = {}
    wanted: list[tuple[Source, object]] = [(condition.source, condition.values[0]) for condition in stream.conditions]
    wanted += [(column.source, _value(column)) for column in stream.columns]
    for source, value in wanted:  # what [match] wants comes first, and stays
        if source.origin is Origin.ATTRIBUTE:
            attributes.setdefault(source.path.text, str(value))
        elif source.origin is Origin.ENVELOPE:
            around.setdefault(source.path.text, value)
        else:
            _put(record, source.path.steps, value)
    message = SampleMessage(_packed(stream.format, record, around), attributes or None)
    tried = StreamTrial(StreamSet((stream,))).try_message(message.body, message.attributes)
    if tried.row is None:
        raise UsageError(
            f"messages: no example can be made up for this definition ({tried.reason}: {tried.detail}); write it with "
            "streams draft, and its [[test]] by hand"
        )
    return message


def example_as_toml(stream: StreamDefinition, message: SampleMessage) -> str:
    """Return a message and the row that it becomes, as a ``[[test]]`` of its definition.

    Args:
        stream: The stream.
        message: A message of it.
    """
    row = StreamTrial(StreamSet((stream,))).try_message(message.body, message.attributes).row
    assert row is not None, "an example becomes a row"
    entries = [
        (name, json.dumps(value) if isinstance(value, dict) else value)
        for name, value in row.items()
        if value is not None
    ]
    return "\n".join(
        [
            "[[test]]",
            f"body = {_text(message.body)}",
            *_table("test.attributes", list((message.attributes or {}).items())),
            *_table("test.row", entries),
            "",
        ]
    )


def _table(name: str, entries: Sequence[tuple[str, object]]) -> list[str]:
    return ["", f"[{name}]", *toml.lines(entries, {})] if entries else []


def _text(body: str) -> str:
    """Return a text of several lines as it is, where TOML can have it so."""
    return f"{_LITERAL_QUOTES}\n{body}{_LITERAL_QUOTES}" if _LITERAL_QUOTES not in body else toml.string(body)


def _value(column: Column) -> object:
    if column.type.name == "jsonb":
        return {"example": "of a document"}
    value = _VALUES[column.type.name](column)
    finds_list = column.type.is_array and EVERY not in column.source.path.steps
    return [value] if finds_list else value


def _time(column: Column) -> Plain:
    places = EPOCH_FORMATS.get(column.format or "")
    return _TIME if places is None else _SECONDS * 10**places


def _example_text(column: Column) -> Plain:
    names = [step for step in column.source.path.steps if isinstance(step, str)]
    return f"example of {names[-1] if names else column.name}"


_VALUES: Mapping[str, Callable[[Column], Plain]] = {
    "bigint": lambda _: _NUMBER,
    "boolean": lambda _: True,
    "date": lambda _: _DAY,
    "double precision": lambda _: _FRACTION,
    "numeric": lambda _: _FRACTION,
    "text": _example_text,
    "timestamptz": _time,
    "uuid": lambda _: _UUID,
}
"""A value for each type that a draft may choose."""


def _put(record: dict[str, Any], steps: Sequence[Step], value: object) -> None:
    """Put a value where a path leads to in a record, unless there is one, and make what is on the way."""
    if not steps:
        assert isinstance(value, dict), "what stands for a record is an object"
        record.update(value)
        return
    place: Any = record
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        inner: Any = value if following is None else {} if isinstance(following, str) else []
        if isinstance(step, str):
            place = place.setdefault(step, inner)
        else:
            index = 0 if step is EVERY else int(step)
            place.extend({} for _ in range(len(place), index))
            if len(place) == index:
                place.append(inner)
            place = place[index]


def _packed(packed: MessageFormat, record: dict[str, Any], around: Mapping[str, object]) -> str:
    """Return the body of a message: a record in all that is around it."""
    for step in reversed(packed.root.steps if packed.root else ()):
        record = {str(step): record}
    content: object = record
    if packed.packings:
        content = json.dumps(record).encode()
        for packing in reversed(packed.packings):
            content = _PACK[packing](content.encode() if isinstance(content, str) else content)
    outermost = packed.envelopes[0] if packed.envelopes else None
    for envelope in reversed(packed.envelopes):
        content = _WRAP[envelope](content, around if envelope is outermost else {})
    if isinstance(content, bytes):
        raise UsageError(
            "messages: what they point to in S3 is packed as no message can be, so no example can be made up; write "
            "the definition with streams draft, and its [[test]] by hand"
        )
    return content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=True)


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


_PACK: Mapping[Packing, Callable[[Any], object]] = {
    Packing.BASE64: lambda content: base64.b64encode(content).decode(),
    Packing.GZIP: _gzip,
    Packing.ZSTD: lambda content: zstandard.ZstdCompressor().compress(content),
    Packing.JSON: lambda content: json.dumps(content.decode()),
}


def _in_sns(content: object, around: Mapping[str, object]) -> object:
    message = content if isinstance(content, str) else json.dumps(content)
    return {"Type": "Notification", "MessageId": _UUID, **around, "Message": message}


def _in_eventbridge(content: object, around: Mapping[str, object]) -> object:
    return {"version": "0", "detail-type": "example", "source": "example", **around, "detail": content}


def _in_cloudevents(content: object, around: Mapping[str, object]) -> object:
    event = {"specversion": "1.0", "id": _UUID, "source": "example", "type": "example", **around}
    if isinstance(content, bytes):
        return {**event, "data_base64": base64.b64encode(content).decode()}
    return {**event, "data": content}


def _in_s3(content: object, _: Mapping[str, object]) -> object:
    return content  # a small record comes in the message itself


_WRAP: Mapping[Envelope, Callable[[object, Mapping[str, object]], object]] = {
    Envelope.SNS: _in_sns,
    Envelope.EVENTBRIDGE: _in_eventbridge,
    Envelope.CLOUDEVENTS: _in_cloudevents,
    Envelope.S3_POINTER: _in_s3,
}
