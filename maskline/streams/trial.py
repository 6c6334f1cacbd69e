"""What becomes of a message, tried without a queue, a keyset and a database."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import msgspec

from maskline.records import Reason, Redacted
from maskline.streams.column_types import NUMBER_TYPES, ColumnType
from maskline.streams.columns import Plain
from maskline.streams.decoding import MessageDecoder
from maskline.streams.failures import InvalidValueError
from maskline.streams.json_text import decode_json
from maskline.streams.masking import rejection_for
from maskline.streams.message_format import Example
from maskline.streams.payloads import PayloadStore
from maskline.streams.stream import StreamDefinition
from maskline.streams.stream_set import NO_STREAM, StreamChooser, StreamSet
from maskline.streams.times import timestamp_reader

MASKED = "(masked)"
"""What stands for a value that would be a token."""


class Trial(Redacted, frozen=True):
    """What would become of a message.

    Attributes:
        stream: The name of the stream that would take it.
        row: The values by column as JSON has them, personal ones still in clear; None where it would be rejected.
        reason: Why it would be rejected, or None.
        detail: Why, as a sentence without values, or None.
    """

    stream: str
    row: dict[str, object] | None = None
    reason: Reason | None = None
    detail: str | None = None

    def __repr__(self) -> str:
        """Say what would become of it, and show no value."""
        return f"Trial({self.stream}, {self.reason or 'row'})"


class StreamTrial:
    """Tries messages against the definitions of a queue.

    Args:
        streams: The definitions.
        payloads: Where objects that messages point to are fetched from; S3 if None.
    """

    def __init__(self, streams: StreamSet, payloads: PayloadStore | None = None) -> None:
        self._streams = streams.streams
        self._chooser = StreamChooser(streams, payloads)
        self._decoders = [MessageDecoder(stream, payloads) for stream in streams.streams]

    def try_message(self, body: str, attributes: Mapping[str, str] | None = None) -> Trial:
        """Return what would become of a message.

        Args:
            body: The body.
            attributes: Its message attributes.

        Raises:
            MasklineError: An object that it points to could not be asked for.
        """
        place, opened = self._chooser.choose(body, attributes)
        decoder = self._decoders[place or 0]
        name = NO_STREAM if place is None else self._streams[place].name
        try:
            if isinstance(opened, InvalidValueError):
                raise opened
            decoded = decoder.decode_opened(opened)
        except Exception as error:
            rejection = decoder.explained(rejection_for(error), body, attributes)
            return Trial(name, None, rejection.reason, rejection.detail)
        columns = self._streams[place or 0].columns
        row = {column.name: shown(value) for column, value in zip(columns, decoded.values, strict=True)}
        return Trial(name, row)


def hide_masked(row: Mapping[str, object], stream: StreamDefinition) -> dict[str, object]:
    """Return a row of a trial as it may be shown: `MASKED` in place of each personal value.

    Args:
        row: The row.
        stream: Its stream.
    """
    masked = {column.name for column in stream.masked_columns}
    return {name: MASKED if name in masked and value is not None else value for name, value in row.items()}


class FailedExample(msgspec.Struct, frozen=True):
    """One ``[[test]]`` of a definition that does not hold.

    Attributes:
        number: Which one, counted from 1.
        problem: What is otherwise, without values of personal columns.
    """

    number: int
    problem: str


def failed_examples(stream: StreamDefinition, payloads: PayloadStore | None = None) -> list[FailedExample]:
    """Try every ``[[test]]`` of a definition and return those that do not hold.

    Args:
        stream: The definition.
        payloads: Where objects that messages point to are fetched from; S3 if None.
    """
    trial = StreamTrial(StreamSet((stream,)), payloads)
    tried = [(example, trial.try_message(example.body, example.attributes)) for example in stream.examples]
    problems = [_problem(stream, example, found) for example, found in tried]
    return [FailedExample(number, problem) for number, problem in enumerate(problems, 1) if problem]


def _problem(stream: StreamDefinition, example: Example, found: Trial) -> str | None:
    if found.row is None:
        if example.rejected == found.reason:
            return None
        wanted = f"rejected as {example.rejected}" if example.rejected else "a row"
        return f"is rejected as {found.reason} ({found.detail}), not {wanted}"
    if example.rejected is not None:
        return f"becomes a row, and is not rejected as {example.rejected}"
    differing = [
        name for name, value in example.row.items() if not _is_same(stream.column(name).type, value, found.row[name])
    ]
    differing += [name for name in example.nulls if found.row[name] is not None]
    visible = hide_masked(found.row, stream)
    return "; ".join(f"column {name} is {visible[name]!r}" for name in differing) or None


def shown(value: object) -> object:
    """Return a column's value as JSON has it: times and decimals as text, bytes in base64."""
    if isinstance(value, list):
        return [shown(element) for element in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, date | Decimal) else value


def _is_same(column_type: ColumnType, expected: Plain | Sequence[Plain], found: object) -> bool:
    if column_type.name == "jsonb":
        return _is_same_document(str(expected), found)
    if isinstance(expected, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(_is_same(column_type, one, other) for one, other in zip(expected, found, strict=True))
        )
    if found is None or isinstance(found, list) or isinstance(expected, bool) != isinstance(found, bool):
        return False
    try:
        if column_type.name in NUMBER_TYPES:
            return Decimal(str(expected)) == Decimal(str(found))
        if column_type.name == "timestamptz":
            return timestamp_reader(is_rounded=False)(expected) == timestamp_reader(is_rounded=False)(found)
    except (ArithmeticError, InvalidValueError):
        return False
    return expected == found


def _is_same_document(expected: str, found: object) -> bool:
    """Compare JSON as text with a document, which is text still where its leaves are not masked."""
    try:
        return bool(decode_json(expected) == (decode_json(found) if isinstance(found, str) else found))
    except InvalidValueError:
        return False
