"""From what the source of a column found in a message to the column's value, in clear."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from decimal import Decimal

from maskline.records import Reason
from maskline.streams.column_types import NUMBER_TYPES, Reader
from maskline.streams.columns import Column, Origin, Plain
from maskline.streams.failures import InvalidValueError, wrong_type
from maskline.streams.masks import Method
from maskline.streams.normalizing import Normalize, normalizer
from maskline.streams.numbers import number_from_text
from maskline.streams.paths import ABSENT
from maskline.streams.patterns import full_match


def column_reader(column: Column, count_invalid: Callable[[], None] = lambda: None) -> Reader:
    """Return the function from what a column's source found, `ABSENT` and null included, to the column's value.

    The value is None, a value of the column's type, or for an array a list of such values and None. The function raises
    an `InvalidValueError` whose detail names the field; an `InvalidValueError` that it is given is what stood in the
    source's way. All that a definition asks of a column is looked up here, once.

    Args:
        column: The column.
        count_invalid: Called for each value without a normal form that is masked as it is.

    Raises:
        ValueError: The type cannot be read in the column's format, or the pattern is no regular expression.
        InvalidValueError: The column does not take one of its values, or its default.
    """
    normalize = normalizer(column, count_invalid)
    read = _found_reader(column, normalize)
    slow = _field_reader(column, read, _default_value(column, read))
    return _plain_text_or(column, slow, normalize) if _is_plain_text(column) else slow


def plain_text_limit(column: Column) -> int | None:
    """Return up to which length in characters an ASCII text without NUL is taken as it is; None if that depends on it.

    Args:
        column: The column.
    """
    is_changed = column.normalization is not None or column.missing
    return _shortest_limit(column) if _is_plain_text(column) and not is_changed else None


def _found_reader(column: Column, normalize: Normalize | None) -> Reader:
    """Return the reader of what is there."""
    read = _reader_of_one(column, normalize)
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


def _reader_of_one(column: Column, normalize: Normalize | None) -> Reader:
    read = column.type.reader(_max_characters(column), column.format, column.is_rounded)
    if column.source.origin is Origin.ATTRIBUTE:
        read = _attribute_reader(column, read)
    if column.values is not None:
        read = _limited_to_values(column, read)
    if column.pattern is not None:
        read = _limited_to_pattern(column, read)
    if normalize is not None:
        read = _normalized(read, normalize)
    token_bytes = _longest_clear_value(column)
    if token_bytes is not None:
        read = _limited_to_tokens(column, read, token_bytes)
    if column.mask is not None and column.mask.method is Method.LEAVES:
        read = _document_reader(read)
    return read


def _longest_clear_value(column: Column) -> int | None:
    if column.mask is None or column.type.max_length is None:
        return None
    return column.mask.longest_clear_value(column.type.max_length)


def _max_characters(column: Column) -> int | None:
    """Return the limit of a value as it comes: that of the type, unless a mask shortens what is stored."""
    is_shortened = column.is_masked and _longest_clear_value(column) is None
    return column.max_length or (sys.maxsize if is_shortened else column.type.max_length)


def _shortest_limit(column: Column) -> int:
    limits = (_max_characters(column), _longest_clear_value(column))
    return min(limit if limit is not None else sys.maxsize for limit in limits)


def _plain_text_or(column: Column, slow: Reader, normalize: Normalize | None) -> Reader:
    """Return a reader that passes a short text without anything remarkable at once, as nearly all are."""
    shortest_limit = _shortest_limit(column)

    def read(value: object) -> object:
        if type(value) is str and len(value) <= shortest_limit and value.isascii() and "\0" not in value:
            return value
        return slow(value)

    if normalize is None:
        return read

    normalization = column.normalization
    is_canonical = normalization.canonical_test() if normalization is not None and not column.missing else None

    def read_normal(value: object) -> object:
        if type(value) is str and len(value) <= shortest_limit and value.isascii() and "\0" not in value:
            if is_canonical is not None and is_canonical(value):
                return value
            with contextlib.suppress(InvalidValueError):  # which the slow one raises again, with the field's name
                form = normalize(value)
                if form is None or (len(form) <= shortest_limit and form.isascii()):
                    return form
        return slow(value)

    return read_normal


def _normalized(read: Reader, normalize: Normalize) -> Reader:
    def read_normalized(value: object) -> object:
        return normalize(str(read(value)))

    return read_normalized


def _document_reader(read: Reader) -> Reader:
    """Return the reader of a document that is masked leaf by leaf: checked as any other, and not yet written."""

    def read_document(value: object) -> object:
        read(value)
        return value

    return read_document


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
    takes_number = column.type.name in NUMBER_TYPES
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
    matches = full_match(column.pattern or "")

    def read_matching(value: object) -> object:
        text = read(value)
        if not matches(str(text)):
            raise InvalidValueError(Reason.NOT_ALLOWED, "does not match the pattern that the definition asks for")
        return text

    return read_matching


def _limited_to_tokens(column: Column, read: Reader, most_bytes: int) -> Reader:
    def read_maskable(value: object) -> object:
        text = read(value)
        if text is not None and len(str(text).encode()) > most_bytes:
            detail = f"is longer than {most_bytes} bytes, so its token would not fit {column.name}"
            raise InvalidValueError(Reason.TOO_LONG, detail)
        return text

    return read_maskable
