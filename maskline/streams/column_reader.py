"""From what a column's source found in a message to the column's value, in clear."""

from __future__ import annotations

import re
import sys
from decimal import Decimal

from maskline.masks.tokens import longest_clear_value
from maskline.records import Reason
from maskline.streams.column_types import NUMBER_TYPES, Reader
from maskline.streams.columns import Column, Origin, Plain
from maskline.streams.failures import InvalidValueError, wrong_type
from maskline.streams.numbers import number_from_text
from maskline.streams.paths import ABSENT


def column_reader(column: Column) -> Reader:
    """Return a function that makes a column's value of what its source found, `ABSENT` and null included.

    The value is None, a value of the column's type, or for an array a list of such values and None. The function raises
    an `InvalidValueError` whose detail names the field; an `InvalidValueError` that it is given is what stood in the
    source's way. All that a definition asks of a column is looked up here, once.

    Args:
        column: The column.

    Raises:
        ValueError: The type cannot be read in the column's format, or the pattern is no regular expression.
        InvalidValueError: The column does not take one of its values, or its default.
    """
    read = _found_reader(column)
    slow = _field_reader(column, read, _default_value(column, read))
    return _plain_text_or(column, slow) if _is_plain_text(column) else slow


def _found_reader(column: Column) -> Reader:
    """Return the reader of what is there."""
    read = _reader_of_one(column)
    if column.type.is_array:
        return _array_reader(column, read)
    if column.source.path.finds_many:
        return _list_reader(column, read)
    return _null_or(column, read)


def _default_value(column: Column, read: Reader) -> object:
    """Return what an absent field becomes: the default as a message would have it, or None."""
    if column.default is None:
        return None
    if isinstance(column.default, tuple):
        return read([_as_json(value) for value in column.default])
    return read(_as_json(column.default))


def _is_plain_text(column: Column) -> bool:
    is_restricted = column.values is not None or column.pattern is not None
    return column.type.is_text and not column.type.is_array and not is_restricted


def _as_json(value: Plain) -> object:
    """Return a value of TOML as the JSON reader would have read it."""
    return Decimal(repr(value)) if type(value) is float else value


def _reader_of_one(column: Column) -> Reader:
    read = column.type.reader(column.max_length, column.format, column.is_rounded)
    if column.source.origin is Origin.ATTRIBUTE:
        read = _attribute_reader(column, read)
    if column.values is not None:
        read = _limited_to_values(column, read)
    if column.pattern is not None:
        read = _limited_to_pattern(column, read)
    if column.is_masked and column.type.max_length is not None:
        read = _limited_to_tokens(column, read, longest_clear_value(column.type.max_length))
    return read


def _plain_text_or(column: Column, slow: Reader) -> Reader:
    """Return a reader that passes a short text without anything remarkable at once, as nearly all are."""
    token_bytes = longest_clear_value(column.type.max_length) if column.is_masked and column.type.max_length else None
    limits = (column.max_length or column.type.max_length, token_bytes)
    shortest_limit = min(limit if limit is not None else sys.maxsize for limit in limits)

    def read(value: object) -> object:
        if type(value) is str and len(value) <= shortest_limit and value.isascii() and "\0" not in value:
            return value
        return slow(value)

    return read


def _field_reader(column: Column, read: Reader, default: object) -> Reader:
    def read_field(value: object) -> object:
        if value is ABSENT:
            if column.required:
                raise InvalidValueError(Reason.MISSING_FIELD, f"field {column.field} missing")
            return default
        try:
            if isinstance(value, InvalidValueError):
                raise value
            return read(value)
        except InvalidValueError as rejection:
            raise InvalidValueError(rejection.reason, f"field {column.field} {rejection.detail}") from None

    return read_field


def _null_or(column: Column, read: Reader) -> Reader:
    def read_nullable(value: object) -> object:
        if value is not None:
            return read(value)
        if not column.nullable:
            raise InvalidValueError(Reason.NULL_FIELD, "is null")
        return None

    return read_nullable


def _array_reader(column: Column, read: Reader) -> Reader:
    read_element = _null_or(column, read)

    def read_found(element: object) -> object:
        if element is not ABSENT:
            return read_element(element)
        if column.required:
            raise InvalidValueError(Reason.MISSING_FIELD, "missing in an element")
        return None

    def read_array(value: object) -> object:
        if type(value) is list:
            return [read_found(element) for element in value]
        if value is None:
            return read_element(value)
        raise wrong_type("an array", value)

    return read_array


def _list_reader(column: Column, read: Reader) -> Reader:
    """Return the reader of a document that is a list of what was found."""

    def read_list(value: object) -> object:
        assert type(value) is list, "a path with [*] finds a list"
        if column.required and ABSENT in value:
            raise InvalidValueError(Reason.MISSING_FIELD, "missing in an element")
        return read([None if element is ABSENT else element for element in value])

    return read_list


def _attribute_reader(column: Column, read: Reader) -> Reader:
    """Return the reader of a message attribute, which is text whatever its type."""
    takes_number = column.type.name in NUMBER_TYPES or (column.format or "").startswith("epoch_")
    truth_values: dict[object, object] = {"true": True, "false": False}

    def read_attribute(value: object) -> object:
        if takes_number:
            return read(number_from_text(value))
        if column.type.name == "boolean":
            return read(truth_values.get(value, value))
        return read(value)

    return read_attribute


def _limited_to_values(column: Column, read: Reader) -> Reader:
    assert column.values is not None
    allowed = frozenset(read(_as_json(value)) for value in column.values)

    def read_allowed(value: object) -> object:
        result = read(value)
        if result not in allowed:
            raise InvalidValueError(Reason.NOT_ALLOWED, "is none of the values that the definition allows")
        return result

    return read_allowed


def _limited_to_pattern(column: Column, read: Reader) -> Reader:
    try:
        matches = re.compile(column.pattern or "").fullmatch
    except re.error as error:
        raise ValueError(f"pattern is not a regular expression: {error}") from None

    def read_matching(value: object) -> object:
        text = read(value)
        if not matches(str(text)):
            raise InvalidValueError(Reason.NOT_ALLOWED, "does not match the pattern that the definition asks for")
        return text

    return read_matching


def _limited_to_tokens(column: Column, read: Reader, most_bytes: int) -> Reader:
    def read_maskable(value: object) -> object:
        text = read(value)
        if len(str(text).encode()) > most_bytes:
            detail = f"is longer than {most_bytes} bytes, so its token would not fit {column.name}"
            raise InvalidValueError(Reason.TOO_LONG, detail)
        return text

    return read_maskable
