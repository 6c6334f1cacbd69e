"""One column of a stream: where its values come from, and what becomes of them."""

from __future__ import annotations

import enum
import re
from typing import TypeAlias

import msgspec

from maskline.masks.normalization import Normalization
from maskline.streams.column_types import ColumnType
from maskline.streams.masks import Mask
from maskline.streams.paths import Path

_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")

Plain: TypeAlias = bool | int | float | str
"""A single value as TOML writes it, dates apart."""


class Origin(enum.StrEnum):
    """Where a value comes from."""

    RECORD = "record"
    ENVELOPE = "envelope"
    ATTRIBUTE = "attribute"


class Source(msgspec.Struct, frozen=True):
    """Where the value of a column, or of a line of ``[match]``, comes from.

    Attributes:
        origin: The record, an envelope around it, or the message's attributes.
        path: Where in the record; in an envelope or the attributes it is a name.
    """

    origin: Origin
    path: Path

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read a source: a path, ``envelope:NAME`` or ``attribute:NAME``.

        Raises:
            ValueError: The text is not a source.
        """
        origin, colon, name = text.partition(":")
        if not colon or origin not in (Origin.ENVELOPE, Origin.ATTRIBUTE):
            return cls(Origin.RECORD, Path.parse(text))
        if not name:
            raise ValueError(f"{text!r} has no name behind the colon")
        if origin == Origin.ATTRIBUTE and not _ATTRIBUTE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a message attribute (letters, digits, _, - and .)")
        return cls(Origin(origin), Path.of_name(name))

    def __str__(self) -> str:
        """Write it as a definition does."""
        return self.path.text if self.origin is Origin.RECORD else f"{self.origin}:{self.path.text}"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a stream's table.

    Attributes:
        name: The column.
        source: Where its values come from.
        type: Its Postgres type.
        mask: What is done to its values, or None where they are stored in clear.
        domain: The associated data its values are masked with, or None where it is stored in clear, or its mask takes
            none.
        normalization: The rule that gives equal values one form before they are masked, or None.
        missing: Texts that mean there is no value, and become NULL, white space around them left out.
        rejects_invalid: Whether a value without a normal form is rejected; otherwise it is masked as it is.
        clear_paths: What stays in clear of a document whose leaves are masked.
        nullable: Whether JSON null is allowed, and becomes NULL.
        required: Whether the field has to be there; where it is not, the default is taken, or NULL.
        default: What an absent field becomes, as the definition writes it, or None for NULL.
        max_length: The longest clear value in characters, or None.
        format: How values are written where it is not JSON's own way, or None (see `ColumnType.reader`).
        is_rounded: Whether times finer than a microsecond are rounded; refused otherwise.
        values: The only values that it takes, or None.
        pattern: A regular expression that a whole value has to match, or None.
    """

    name: str
    source: Source
    type: ColumnType
    mask: Mask | None = None
    domain: str | None = None
    normalization: Normalization | None = None
    missing: tuple[str, ...] = ()
    rejects_invalid: bool = False
    clear_paths: tuple[Path, ...] = ()
    nullable: bool = False
    required: bool = True
    default: Plain | tuple[Plain, ...] | None = None
    max_length: int | None = None
    format: str | None = None
    is_rounded: bool = False
    values: tuple[Plain, ...] | None = None
    pattern: str | None = None

    @property
    def field(self) -> str:
        """The field of the message it comes from, as the definition writes it."""
        return str(self.source)

    @property
    def is_masked(self) -> bool:
        """Whether the column holds what a mask made of its values."""
        return self.mask is not None

    @property
    def takes_null(self) -> bool:
        """Whether the column can become NULL, so that it must not be NOT NULL."""
        may_be_absent = not self.required and self.default is None
        return self.nullable or may_be_absent or (bool(self.missing) and not self.type.is_array)
