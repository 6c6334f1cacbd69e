"""Records that hold nothing remarkable, as nearly all do: read, checked and put in order by msgspec in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec

from maskline.streams.column_reader import column_reader, plain_text_limit
from maskline.streams.column_types import Reader
from maskline.streams.columns import Column, Origin

PlainReader: TypeAlias = Callable[[str], tuple[list[object], int] | None]
"""Returns the values of a record, one a column, and how many fields it has that no column takes; or None for a record
that is to be read the careful way."""

_SCALAR = str | int | bool | None
"""What a value may be that a column's own reader looks at; msgspec takes no number with a fraction for an integer."""

_PLAIN_TYPES = frozenset({str, int, bool, type(None)})


def plain_record_reader(columns: Sequence[Column], count_invalid: Callable[[], None]) -> PlainReader | None:
    r"""Return a reader of plain records, or None where the columns ask for more than a field of the record each.

    A record is plain that is ASCII without a backslash, has each column's field, and holds a text, an integer, a truth
    value or null in every field. So is a message of a stream whose definition fits; one with fields that no column
    takes is read a second time, for their number. msgspec leaves out a field that it does not know, and takes the last
    of a key that stands twice; but where there is no backslash each quotation mark begins or ends a text, so their
    number tells whether there was more than what was read.

    The reader raises an `InvalidValueError` where a column does not take its value.

    Args:
        columns: The columns.
        count_invalid: As for `column_reader`.
    """
    names = [column.source.path.name for column in columns]
    if len(set(names)) < len(names) or not all(map(_is_field, columns)):
        return None
    fields = [
        (f"column_{place}", _type(column), msgspec.field(name=name))
        for place, (column, name) in enumerate(zip(columns, names, strict=True))
    ]
    decode = msgspec.json.Decoder(msgspec.defstruct("PlainRecord", fields, gc=False)).decode
    decode_all = msgspec.json.Decoder(dict[str, Any]).decode
    in_order = msgspec.structs.astuple
    readers: list[tuple[int, Reader]] = [
        (place, column_reader(column, count_invalid))
        for place, column in enumerate(columns)
        if plain_text_limit(column) is None
    ]

    def read(text: str) -> tuple[list[object], int] | None:
        if "\\" in text or not text.isascii():
            return None
        extra_fields = 0
        try:
            values: list[object] = list(in_order(decode(text)))
            quotation_marks = text.count('"')
            if quotation_marks != _quotation_marks(list(map(type, values))):
                record = decode_all(text)
                types = list(map(type, record.values()))
                if quotation_marks != _quotation_marks(types) or not _PLAIN_TYPES.issuperset(types):
                    return None
                extra_fields = len(record) - len(values)
        except (msgspec.DecodeError, RecursionError):
            return None
        for place, read_value in readers:
            values[place] = read_value(values[place])
        return values, extra_fields

    return read


def _quotation_marks(types: list[type]) -> int:
    """Return how many quotation marks there are around the names and texts of a record.

    Args:
        types: Those of its values.
    """
    return 2 * (len(types) + types.count(str))


def _is_field(column: Column) -> bool:
    name = column.source.path.name
    is_plain = name is not None and name.isprintable() and '"' not in name and "\\" not in name
    return is_plain and column.source.origin is Origin.RECORD and column.required


def _type(column: Column) -> Any:
    limit = plain_text_limit(column)
    if limit is None:
        return _SCALAR
    text = Annotated[str, msgspec.Meta(max_length=limit)]
    return text | None if column.nullable else text
