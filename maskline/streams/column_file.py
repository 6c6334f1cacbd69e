"""One ``[columns.NAME]`` of a definition file, and what is checked of it."""

from __future__ import annotations

import re

import msgspec

from maskline.masks.deterministic import REJECTED_BODY_DOMAIN
from maskline.masks.tokens import token_length
from maskline.streams.column_reader import column_reader
from maskline.streams.column_types import ColumnType
from maskline.streams.columns import Column, Origin, Plain, Source
from maskline.streams.failures import InvalidValueError
from maskline.streams.masks import Mask, Method

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_MASKED_PREFIX = "masked_"


class ColumnFile(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of one column, as docs/streams.md describes them."""

    type: str
    field: str | None = None
    mask: str | None = None
    pii: bool = False
    clear: bool | list[str] = False
    domain: str | None = None
    nullable: bool = False
    required: bool = True
    default: Plain | list[Plain] | None = None
    max_length: int | None = None
    format: str | None = None
    round: bool = False
    values: list[Plain] | None = None
    pattern: str | None = None


def is_identifier(name: str) -> bool:
    """Say whether a name can be a table's or a column's: plain lower-case letters, digits and _, 63 at most."""
    return bool(_IDENTIFIER.fullmatch(name))


def checked_column(stream: str, name: str, file: ColumnFile) -> Column:
    """Return a column that can be read and written as the file says.

    Args:
        stream: The stream's name.
        name: The column's name, an identifier.
        file: What the file says.

    Raises:
        ValueError: It cannot.
    """
    column_type = ColumnType.parse(file.type)
    mask = _checked_mask(name, file, column_type)
    _check_max_length(file, column_type, is_masked=mask is not None)
    column = Column(
        name=name,
        source=_checked_source(name, file, column_type),
        type=column_type,
        mask=mask,
        domain=_checked_domain(file, mask, default=f"{stream}.{name}"),
        nullable=file.nullable,
        required=file.required,
        default=tuple(file.default) if isinstance(file.default, list) else file.default,
        max_length=file.max_length,
        format=file.format,
        is_rounded=file.round,
        values=None if file.values is None else tuple(file.values),
        pattern=file.pattern,
    )
    _check_values(column)
    return column


def _checked_mask(name: str, file: ColumnFile, column_type: ColumnType) -> Mask | None:
    if isinstance(file.clear, list):
        raise ValueError('clear = […] goes with mask = "leaves", which is not supported yet; write clear = true')
    mask = Mask.parse(file.mask) if file.mask is not None else Mask(Method.DETERMINISTIC) if file.pii else None
    is_restricted = file.values is not None or file.pattern is not None
    if mask is None:
        if name.startswith(_MASKED_PREFIX):
            raise ValueError(
                f'a column whose name begins with {_MASKED_PREFIX} holds tokens; write mask = "deterministic", or give '
                "it another name"
            )
        if column_type.is_free and not file.clear and not is_restricted:
            raise ValueError(_undecided(column_type))
        return None
    if file.clear or is_restricted:
        raise ValueError(
            "is masked, and clear, values and pattern are for columns in clear; leave one or the other out"
        )
    if not column_type.is_text:
        raise ValueError("a masked column holds tokens, so its type is varchar(n) or text, or an array of one of them")
    return mask


def _undecided(column_type: ColumnType) -> str:
    if not column_type.is_text:
        return (
            f"a column of type {column_type.declaration} can hold personal data, and such a type is stored in clear; "
            'write clear = true, or make it a text with mask = "deterministic"'
        )
    return (
        'holds text, so it says what becomes of it: mask = "deterministic" (or pii = true) for personal data, '
        'clear = true for anything else, or what it may hold, values = ["…"] or pattern = "…"'
    )


def _check_max_length(file: ColumnFile, column_type: ColumnType, *, is_masked: bool) -> None:
    if file.max_length is not None and (file.max_length < 1 or not column_type.is_text):
        raise ValueError("max_length is a positive number of characters of a text column")
    if column_type.max_length is None:
        return
    longest = file.max_length or 1
    needed = token_length(longest) if is_masked else longest
    if column_type.max_length < needed and is_masked:
        raise ValueError(f"a token takes {needed} characters (at least {token_length(1)}), so widen its type")
    if column_type.max_length < needed:
        raise ValueError(f"max_length is longer than {column_type.declaration} can hold")


def _checked_source(name: str, file: ColumnFile, column_type: ColumnType) -> Source:
    if file.field == "":
        raise ValueError("an empty field is no field; leave it out for the column's own name")
    source = Source.parse(name if file.field is None else file.field)
    if source.path.finds_many and not column_type.is_array and column_type.name != "jsonb":
        raise ValueError(f'[*] finds many values; write type = "{column_type.declaration}[]", or [0] for the first')
    if not source.path.steps and column_type.name != "jsonb":
        raise ValueError('field = "." is the whole record, which only a jsonb holds')
    if source.origin is Origin.ATTRIBUTE and (column_type.is_array or column_type.name == "jsonb"):
        raise ValueError(f"a message attribute is one text; {column_type.declaration} cannot come from it")
    return source


def _checked_domain(file: ColumnFile, mask: Mask | None, default: str) -> str | None:
    if mask is None:
        if file.domain is not None:
            raise ValueError("a domain goes with a mask")
        return None
    domain = default if file.domain is None else file.domain
    if not domain:
        raise ValueError("an empty domain would let its tokens be matched with any other such column")
    if domain == REJECTED_BODY_DOMAIN:
        raise ValueError(f"the domain {domain} is that of rejected bodies")
    return domain


def _check_values(column: Column) -> None:
    if column.pattern is not None and not column.type.is_text:
        raise ValueError("pattern goes with a text column")
    if column.values is not None and (column.type.name == "jsonb" or not column.values):
        raise ValueError("values is a list of what the column may hold, and goes with any type but jsonb")
    if column.default is not None and column.required:
        raise ValueError("a default is for a field that may be absent; write required = false, too")
    if column.default is not None and isinstance(column.default, tuple) != column.type.is_array:
        raise ValueError("default is a list for an array, and a single value for any other type")
    try:
        column_reader(column)
    except InvalidValueError as rejection:
        raise ValueError(f"one of its values, or its default, {rejection.detail}") from None
