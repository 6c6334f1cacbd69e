"""Records that hold nothing remarkable, as nearly all do: read, checked and put in order by msgspec in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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

_decode_all = msgspec.json.Decoder(dict[str, Any]).decode
_in_order = msgspec.structs.astuple

MAX_EXTRA_NAMES = 16
"""How many fields that no column takes are read in one go with the columns; others cost a second reading."""


def plain_record_reader(columns: Sequence[Column], count_invalid: Callable[[], None]) -> PlainReader | None:
    r"""Return a reader of plain records, or None where the columns ask for more than a field of the record each.

    A record is plain that is ASCII without a backslash, has each column's field, and holds a text, an integer, a truth
    value or null in every field. So is a message of a stream whose definition fits.

    The reader raises an `InvalidValueError` where a column does not take its value.

    Args:
        columns: The columns.
        count_invalid: As for `column_reader`.
    """
    names = [column.source.path.name for column in columns]
    if len(set(names)) < len(names) or not all(map(_is_field, columns)):
        return None
    return _PlainRecords(columns, count_invalid).read


class _PlainRecords:
    """Reads plain records, and learns which fields they have that no column takes.

    msgspec leaves out a field that it does not know, and takes the last of a key that stands twice. But where there is
    no backslash each quotation mark begins or ends a text, so their number tells whether there was more than what was
    read. Such a record is read a second time, whole, and the names that are new are known from then on.
    """

    def __init__(self, columns: Sequence[Column], count_invalid: Callable[[], None]) -> None:
        self._count = len(columns)
        self._known_names = {column.source.path.name for column in columns}
        self._fields = [
            (f"column_{place}", _type(column), msgspec.field(name=column.source.path.name))
            for place, column in enumerate(columns)
        ]
        self._decode = _decoder(self._fields)
        self._readers: list[tuple[int, Reader]] = [
            (place, column_reader(column, count_invalid))
            for place, column in enumerate(columns)
            if plain_text_limit(column) is None
        ]

    def read(self, text: str) -> tuple[list[object], int] | None:
        if "\\" in text or not text.isascii():
            return None
        try:
            values: list[object] = list(_in_order(self._decode(text)))
            types = list(map(type, values))
            fields = len(types) - types.count(msgspec.UnsetType)
            if text.count('"') != _quotation_marks(fields, types):
                record = _decode_all(text)
                types = list(map(type, record.values()))
                fields = len(types)
                if text.count('"') != _quotation_marks(fields, types) or not _PLAIN_TYPES.issuperset(types):
                    return None
                self._learn(record)
        except (msgspec.DecodeError, RecursionError):
            return None
        del values[self._count :]
        for place, read_value in self._readers:
            values[place] = read_value(values[place])
        return values, fields - self._count

    def _learn(self, names: Iterable[str]) -> None:
        """Read the fields of these names, too, from now on, up to `MAX_EXTRA_NAMES` of them."""
        room = self._count + MAX_EXTRA_NAMES - len(self._fields)
        new_names = [name for name in names if name not in self._known_names][:room]
        if new_names:
            self._known_names.update(new_names)
            self._fields += [
                (f"extra_{place}", _SCALAR | msgspec.UnsetType, msgspec.field(default=msgspec.UNSET, name=name))
                for place, name in enumerate(new_names, start=len(self._fields))
            ]
            self._decode = _decoder(self._fields)


def _decoder(fields: Sequence[tuple[str, Any, Any]]) -> Callable[[str], msgspec.Struct]:
    return msgspec.json.Decoder(msgspec.defstruct("PlainRecord", fields, gc=False)).decode


def _quotation_marks(fields: int, types: list[type]) -> int:
    """Return how many quotation marks there are around the names and texts of a record.

    Args:
        fields: How many fields it has.
        types: Those of its values.
    """
    return 2 * (fields + types.count(str))


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
