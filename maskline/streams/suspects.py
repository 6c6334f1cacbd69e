"""What looks like personal data and stands in clear: told by column and kind, never by value."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TypeAlias

from maskline.masks.leaves import change_leaves
from maskline.personal_data.kinds import PersonalDataKind
from maskline.streams.column_mask import clear_leaves
from maskline.streams.column_types import NUMBER_TYPES
from maskline.streams.columns import Column
from maskline.streams.failures import InvalidValueError
from maskline.streams.json_text import decode_json, encode_json
from maskline.streams.masks import Method
from maskline.streams.stream import StreamDefinition

MAX_CHARACTERS = 2_000
"""How much of a text is looked at, so that a look takes no longer than some milliseconds, whoever wrote it."""

_Texts: TypeAlias = Callable[[object], Iterator[str]]
"""Returns the texts of a value in which something may stand."""


class SuspectColumns:
    """Looks for personal data in what a stream stores in clear.

    That is its columns in clear, texts, documents and numbers, and of a document whose leaves are masked the names and
    what the definition leaves in clear.

    What it finds is likely and not certain, and what it does not find may be personal all the same; see
    `maskline.personal_data.values.kinds_in`. A column whose values the definition lists holds nothing that nobody knew
    of, and is left out.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: StreamDefinition) -> None:
        self._places = [
            (place, column.name, texts)
            for place, column in enumerate(stream.columns)
            if (texts := _texts_of(column)) is not None
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are looked at."""
        return tuple(name for _, name, _ in self._places)

    def found_in(self, values: Sequence[object]) -> dict[str, frozenset[PersonalDataKind]]:
        """Return the columns that hold what looks like personal data, with what it looks like.

        Args:
            values: A row's values in the order of the stream's columns; whether they are masked yet does not matter.
        """
        kinds = (
            (name, frozenset().union(*map(_kinds_in, texts(values[place])))) for place, name, texts in self._places
        )
        return {name: found for name, found in kinds if found}


def _texts_of(column: Column) -> _Texts | None:
    """Return what finds the texts of a column that stand in clear, or None where none do."""
    if column.mask is not None:
        return _names_and_clear_leaves(column) if column.mask.method is Method.LEAVES else None
    if column.values is not None:
        return None
    return _texts if column.type.is_text or column.type.name in {"jsonb", *NUMBER_TYPES} else None


def _names_and_clear_leaves(column: Column) -> _Texts:
    clear = clear_leaves(column)

    def texts(value: object) -> Iterator[str]:
        # Nested deep, it may fail here and not before; and a text that is no JSON is a leaf that is not masked yet.
        with contextlib.suppress(InvalidValueError, RecursionError):
            document = decode_json(value) if isinstance(value, str) else value
            yield encode_json(change_leaves(document, clear, lambda _: None))

    return texts


def _texts(value: object) -> Iterator[str]:
    for each in value if isinstance(value, list) else (value,):
        if isinstance(each, str):
            yield each
        elif type(each) in (int, Decimal):
            yield str(each)


def _kinds_in(text: str) -> frozenset[PersonalDataKind]:
    # Numbering plans and check digits take a tenth of a second to import, and a command may never look at a row.
    from maskline.personal_data.values import kinds_in

    return kinds_in(text[:MAX_CHARACTERS])
