"""From the body of a message to the values of a row, or to the reason why it becomes none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping

from maskline.records import Payload, Reason, Redacted
from maskline.streams.column_reader import column_reader
from maskline.streams.columns import Origin
from maskline.streams.failures import InvalidValueError
from maskline.streams.matching import matcher
from maskline.streams.message_format import MessageFormat
from maskline.streams.opening import MessageOpener, Opened, read_record, source_finder
from maskline.streams.paths import ABSENT
from maskline.streams.payloads import PayloadStore, S3Payloads
from maskline.streams.plain_records import plain_record_reader
from maskline.streams.recognition import difference
from maskline.streams.stream import StreamDefinition
from maskline.streams.unknown_fields import unknown_field_counter

_PERHAPS_PACKED = frozenset(
    {
        Reason.NOT_JSON,
        Reason.NOT_AN_OBJECT,
        Reason.MISSING_FIELD,
        Reason.NO_ENVELOPE,
        Reason.NOT_UNPACKED,
        Reason.NO_STREAM,
    }
)


class Decoded(Redacted, frozen=True):
    """The values of one message.

    Attributes:
        values: One value a column, in the order of the definition, personal ones still in clear; a list for an array.
        extra_fields: How many fields the message has that the definition does not name. Producers add fields before
            consumers know them, so these are counted and otherwise ignored.
        payload: The object in S3 that the record came from, or None.
    """

    values: list[object]
    extra_fields: int
    payload: Payload | None = None

    def __repr__(self) -> str:
        """Say how many values there are, and none of them."""
        return f"Decoded({len(self.values)} values, {self.extra_fields} extra fields)"


class MessageDecoder:
    """Reads messages against one stream's definition.

    What the definition asks for is looked up once, here; a message pays for that and for nothing else. It accepts
    exactly what RFC 8259 calls JSON and both ends would read alike (see `maskline.streams.json_text`).

    Args:
        stream: The definition.
        payloads: Where objects that messages point to are fetched from; S3 if None.

    Attributes:
        invalid_values: How many values it read so far that have no normal form by the rule of their domain, and stay as
            they are.
    """

    def __init__(self, stream: StreamDefinition, payloads: PayloadStore | None = None) -> None:
        self.invalid_values = 0
        self._stream = stream
        self._opener = MessageOpener(stream.format, payloads or S3Payloads())
        self._matches = matcher(stream.conditions)
        sources = [
            *(column.source for column in stream.columns),
            *(condition.source for condition in stream.conditions),
        ]
        self._count_unknown = unknown_field_counter(source.path for source in sources if source.origin is Origin.RECORD)
        names = {source.path.name for source in sources if source.origin is Origin.RECORD}
        self._is_flat = None not in names and all(source.origin is Origin.RECORD for source in sources)
        self._is_simple = self._is_flat and stream.format == MessageFormat() and not stream.conditions
        self._read_plain = plain_record_reader(stream.columns, self._count_invalid) if self._is_simple else None
        required = {column.source.path.name for column in stream.columns if column.required}
        # Where all that is known has to be there, what is not known is counted without a look.
        self._known_count = len(names) if self._is_flat and names == required else None
        self._columns = [
            (column.source.path.name, source_finder(column.source), column_reader(column, self._count_invalid))
            for column in stream.columns
        ]
        self._flat_columns = [(name, read) for name, _, read in self._columns]
        self._is_all_optional = not any(column.required for column in stream.columns)

    def decode(self, body: str, attributes: Mapping[str, str] | None = None) -> Decoded:
        """Read one message.

        Args:
            body: The message's body as SQS gave it.
            attributes: Its message attributes.

        Raises:
            InvalidValueError: It cannot become a row. Reason and detail hold names of fields and never a value.
            PayloadUnavailableError: S3 did not give out the object that it points to.
            PayloadError: S3 cannot be used at all.
        """
        if self._read_plain is not None and (plain := self._read_plain(body)) is not None:
            values, extra_fields = plain
            if extra_fields:
                self._check_extra_fields(extra_fields)
            return Decoded(values, extra_fields)
        if self._is_simple:
            record = read_record(body)
            values = self._flat_values(record)
            if self._is_all_optional:
                _check_holds_a_field(name in record for name, _ in self._flat_columns)
            return Decoded(values, self._unknown_fields(record))
        opened = self._opener.open(body, attributes)
        if not self._matches(opened):
            raise InvalidValueError(Reason.NO_STREAM, f"[match] of the stream {self._stream.name} does not hold")
        return self.decode_opened(opened)

    def decode_opened(self, opened: Opened) -> Decoded:
        """Read a message that was opened in the stream's format.

        Raises:
            InvalidValueError: It cannot become a row.
        """
        values = self._flat_values(opened.record) if self._is_flat else self._values(opened)
        if self._is_all_optional:
            _check_holds_a_field(_found(find, opened) is not ABSENT for _, find, _ in self._columns)
        return Decoded(values, self._unknown_fields(opened.record), opened.payload)

    def explained(
        self, rejection: InvalidValueError, body: str, attributes: Mapping[str, str] | None
    ) -> InvalidValueError:
        """Return a rejection that adds how the body seems to be packed, where the definition does not say so."""
        if rejection.reason not in _PERHAPS_PACKED:
            return rejection
        hint = None
        with contextlib.suppress(Exception):  # a courtesy that must not cost the message its rejection
            hint = difference(body, attributes, self._stream.format)
        return InvalidValueError(rejection.reason, f"{rejection.detail}; {hint}") if hint else rejection

    def _count_invalid(self) -> None:
        self.invalid_values += 1

    def _flat_values(self, record: dict[str, object]) -> list[object]:
        get = record.get
        try:
            return [read(get(name, ABSENT)) for name, read in self._flat_columns]  # type: ignore[arg-type]
        except InvalidValueError as rejection:
            opened = Opened(None)
            opened.record = record
            raise self._with_all_missing(rejection, opened) from None

    def _values(self, opened: Opened) -> list[object]:
        try:
            return [read(_found(find, opened)) for _, find, read in self._columns]
        except InvalidValueError as rejection:
            raise self._with_all_missing(rejection, opened) from None

    def _with_all_missing(self, rejection: InvalidValueError, opened: Opened) -> InvalidValueError:
        """Return a rejection that names every field that is missing, where the first one found is one."""
        if rejection.reason is not Reason.MISSING_FIELD:
            return rejection
        missing = [
            column.field
            for column, (_, find, _) in zip(self._stream.columns, self._columns, strict=True)
            if column.required and _found(find, opened) is ABSENT
        ]
        if not missing:
            return rejection
        fields = "fields" if len(missing) > 1 else "field"
        return InvalidValueError(Reason.MISSING_FIELD, f"{fields} {', '.join(dict.fromkeys(missing))} missing")

    def _unknown_fields(self, record: dict[str, object]) -> int:
        count = self._count_unknown(record) if self._known_count is None else len(record) - self._known_count
        self._check_extra_fields(count)
        return count

    def _check_extra_fields(self, count: int) -> None:
        if count and self._stream.rejects_unknown:
            # Their names are the message's, and may tell anything.
            detail = f"{count} {'fields' if count > 1 else 'field'} that no column takes"
            raise InvalidValueError(Reason.UNKNOWN_FIELD, detail)


def _check_holds_a_field(are_there: Iterable[bool]) -> None:
    """Refuse a message that nothing would be stored of: it is of another kind, or packed otherwise.

    Args:
        are_there: Of each column, whether what it is to hold is there.

    Raises:
        InvalidValueError: Of no column.
    """
    if not any(are_there):
        raise InvalidValueError(Reason.MISSING_FIELD, "not one field of the stream is there")


def _found(find: Callable[[Opened], object], opened: Opened) -> object:
    """Return what a source finds; what stands in its way is passed on, for the reader to say of which field."""
    try:
        return find(opened)
    except InvalidValueError as rejection:
        return rejection
