"""What is checked of one ``[columns.NAME]`` of a definition file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from maskline.masks.deterministic import REJECTED_BODY_DOMAIN
from maskline.streams.column_keys import ColumnFile
from maskline.streams.column_reader import column_reader
from maskline.streams.column_types import ColumnType
from maskline.streams.columns import Column, Origin, Source
from maskline.streams.domains import Domain
from maskline.streams.failures import InvalidValueError
from maskline.streams.mask_check import checked_clear_paths, checked_mask
from maskline.streams.masks import Mask, Method

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def is_identifier(name: str) -> bool:
    """Return whether a name can be a table's or a column's: plain lower-case letters, digits and _, 63 at most."""
    return bool(_IDENTIFIER.fullmatch(name))


def checked_column(stream: str, name: str, file: ColumnFile, domains: Mapping[str, Domain] | None = None) -> Column:
    """Return a column that can be read and written as the file says.

    Args:
        stream: The stream's name.
        name: The column's name, an identifier.
        file: What the file says.
        domains: What the file says of domains, or None where it says nothing.

    Raises:
        ValueError: It cannot.
    """
    column_type = ColumnType.parse(file.type)
    mask = checked_mask(name, file, column_type)
    _check_max_length(file, column_type, mask)
    domain = _checked_domain(file, mask, default=f"{stream}.{name}")
    equality = (domains or {}).get(domain or "", Domain())
    if equality != Domain() and not column_type.is_text:
        raise ValueError(f"[domains] normalizes texts, and {column_type.declaration} is none; give it another domain")
    column = Column(
        name=name,
        source=_checked_source(name, file, column_type),
        type=column_type,
        mask=mask,
        domain=domain,
        normalization=equality.normalization,
        missing=equality.missing,
        rejects_invalid=equality.rejects_invalid,
        clear_paths=checked_clear_paths(file, mask),
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


def _check_max_length(file: ColumnFile, column_type: ColumnType, mask: Mask | None) -> None:
    if file.max_length is not None and (file.max_length < 1 or not column_type.is_text):
        raise ValueError("max_length is a positive number of characters of a text column")
    if column_type.max_length is None:
        return
    longest = file.max_length or 1
    needed = longest if mask is None else mask.stored_length(longest)
    if needed is None or needed <= column_type.max_length:
        return
    if mask is None:
        raise ValueError(f"max_length is longer than {column_type.declaration} can hold")
    if mask.is_reversible:
        raise ValueError(f"a token takes {needed} characters (at least {mask.stored_length(1)}), so widen its type")
    raise ValueError(f"what its mask stores of a value takes {needed} characters, so widen its type")


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
    if mask is None or mask.method is Method.REDACT:
        if file.domain is not None:
            raise ValueError("a domain goes with a mask" if mask is None else "what is redacted has no domain")
        return None
    domain = default if file.domain is None and mask.takes_domain else file.domain
    if domain == "":
        raise ValueError("an empty domain would let its tokens be matched with any other such column")
    if domain is not None and "\0" in domain:
        raise ValueError("the domain holds a NUL character, which parts it from the value in a hash")
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
