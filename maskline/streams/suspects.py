"""Columns in clear that hold what looks like personal data: told by column and kind, never by value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maskline.personal_data.kinds import PersonalDataKind
from maskline.streams.columns import Column
from maskline.streams.stream import StreamDefinition

MAX_CHARACTERS = 2_000
"""How much of a text is looked at, so that a look takes no longer than some milliseconds, whoever wrote it."""


class SuspectColumns:
    """Looks for personal data in the columns in clear of one stream.

    What it finds is likely and not certain, and what it does not find may be personal all the same; see
    `maskline.personal_data.values.kinds_in`. A column whose values the definition lists holds nothing that nobody knew
    of, and is left out.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: StreamDefinition) -> None:
        self._places = [(place, column.name) for place, column in enumerate(stream.columns) if _is_looked_at(column)]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are looked at."""
        return tuple(name for _, name in self._places)

    def found_in(self, values: Sequence[object]) -> dict[str, frozenset[PersonalDataKind]]:
        """Return the columns that hold what looks like personal data, with what it looks like.

        Args:
            values: A row's values in the order of the stream's columns; tokens and other types than text do not matter.
        """
        kinds = ((name, frozenset().union(*map(_kinds_in, _texts(values[place])))) for place, name in self._places)
        return {name: found for name, found in kinds if found}


def _is_looked_at(column: Column) -> bool:
    return column.mask is None and column.values is None and (column.type.is_text or column.type.name == "jsonb")


def _texts(value: object) -> Iterator[str]:
    for text in value if isinstance(value, list) else (value,):
        if isinstance(text, str):
            yield text


def _kinds_in(text: str) -> frozenset[PersonalDataKind]:
    # Numbering plans and check digits take a tenth of a second to import, and a command may never look at a row.
    from maskline.personal_data.values import kinds_in

    return kinds_in(text[:MAX_CHARACTERS])
