"""To whom a row belongs: the columns of ``[subject]``, and the value of a person in each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from maskline.errors import ArgumentError
from maskline.streams.column_types import ColumnType
from maskline.streams.columns import Column, Origin
from maskline.streams.failures import InvalidValueError
from maskline.streams.masks import Method
from maskline.streams.normalizing import normalizer
from maskline.streams.stream import StreamDefinition

_MASKED_PREFIX = "masked_"
_INTEGERS = ("smallint", "integer", "bigint")
_MATCHED_TYPES = ("varchar", "text", "uuid", *_INTEGERS)


class Subject(msgspec.Struct, frozen=True):
    """A column of a stream that says to whom a row belongs.

    Attributes:
        stream: The stream.
        column: The column.
    """

    stream: StreamDefinition
    column: Column

    def value_of(self, text: str) -> str | None:
        """Return a person's value in the column, in clear and in normal form; None if the column cannot hold it.

        Args:
            text: The person, as somebody writes them.
        """
        try:
            if self.column.type.name in _INTEGERS:
                number = int(text)
                return str(_element_type(self.column).reader()(number)) if str(number) == text else None
            value = str(_element_type(self.column).reader(self.column.max_length)(text))
            normalize = normalizer(self.column, _ignore)
            return value if normalize is None else normalize(value)
        except (ValueError, InvalidValueError):
            return None

    @property
    def names(self) -> frozenset[str]:
        """What the column's field is called in a message, and what else could mean it, as `plain_name` has them."""
        steps = (step for step in self.column.source.path.steps if isinstance(step, str))
        field = "".join(steps) if self.column.source.origin is Origin.RECORD else self.column.source.path.text
        return frozenset({plain_name(field), plain_name(self.column.name.removeprefix(_MASKED_PREFIX))})


def plain_name(name: str) -> str:
    """Return the common form of a name: ``userId``, ``user_id``, ``user-id`` and ``user.id`` have the same.

    Args:
        name: The name.
    """
    return re.sub(r"[\W_]+", "", name).casefold()


def find_subjects(streams: Sequence[StreamDefinition], by: str) -> list[Subject]:
    """Return the columns of ``[subject]`` that have a name, or whose field has it.

    Args:
        streams: The streams.
        by: The column, or the field.

    Raises:
        ArgumentError: A stream does not say whose its rows are, or none has such a column.
    """
    for stream in streams:
        if stream.subject is None and not stream.subject_columns:
            raise ArgumentError(
                f"stream {stream.name}: does not say whose its rows are; write [subject] columns = […] into its "
                "definition, and [] where they are nobody's"
            )
    found = [
        Subject(stream, column)
        for stream in streams
        for column in stream.subject_columns
        if by in (column.name, column.field)
    ]
    if not found:
        names = sorted({column.name for stream in streams for column in stream.subject_columns})
        raise ArgumentError(f"by {by!r}: is a subject of no stream given; those are: {', '.join(names) or 'none'}")
    return found


def check_subject_columns(names: Iterable[str], columns: Sequence[Column]) -> None:
    """Check that a person can be found by each of some columns.

    Args:
        names: What ``[subject]`` names.
        columns: The columns of the definition.

    Raises:
        ValueError: One is none of the columns, or equal persons are not equal in it.
    """
    by_name = {column.name: column for column in columns}
    for name in names:
        if name not in by_name:
            raise ValueError(f"[subject] columns: {name!r} is none of the columns")
        if not _tells_persons_apart(by_name[name]):
            raise ValueError(
                f"[subject] columns: {name!r} is {by_name[name].type.declaration}; a person is found in a text, an "
                'integer or a uuid, in clear or with mask = "deterministic"'
            )


def default_subject(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the subject columns of a definition without ``[subject]``: those whose field is ``user_id``.

    Args:
        columns: The columns of the definition.
    """
    return tuple(column.name for column in columns if column.field == "user_id" and _tells_persons_apart(column))


def _tells_persons_apart(column: Column) -> bool:
    is_equal_for_equal = column.mask is None or column.mask.method is Method.DETERMINISTIC
    return is_equal_for_equal and column.type.name in _MATCHED_TYPES


def _ignore() -> None:
    """Take no note of a value without a normal form, which is masked as it is."""


def _element_type(column: Column) -> ColumnType:
    """Return the type of a value in clear: of a token's column, text of any length."""
    return ColumnType.parse("text") if column.is_masked else ColumnType.parse(column.type.declaration.partition("[")[0])
