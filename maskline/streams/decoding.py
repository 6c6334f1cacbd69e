"""From the body of a message to the values of a row, or to the reason why there is none."""

from __future__ import annotations

import json
import math
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from maskline.masks.tokens import longest_clear_value
from maskline.records import Reason, Redacted
from maskline.streams.column_types import InvalidValueError, Reader
from maskline.streams.definition import Column, StreamDefinition


class Decoded(Redacted, frozen=True):
    """The values of one message.

    Attributes:
        values: One value a column, in the order of the definition, personal ones still in clear.
        extra_fields: How many fields the message has that the definition does not name. Producers add fields before
            consumers know them, so these are counted and otherwise ignored.
    """

    values: list[object]
    extra_fields: int

    def __repr__(self) -> str:
        """Say how many values there are, and none of them."""
        return f"Decoded({len(self.values)} values, {self.extra_fields} extra fields)"


class MessageDecoder:
    """Reads bodies against one stream's definition.

    It accepts exactly what RFC 8259 calls JSON and both ends would read alike: a key given twice, NaN, a number too
    large for a double and nesting too deep to read are refused, where Python's ``json`` lets them pass or crashes.

    Args:
        stream: The definition.
    """

    def __init__(self, stream: StreamDefinition) -> None:
        self._fields = [(column, column.type.reader(column.max_length)) for column in stream.columns]
        self._token_limits = {
            column.name: longest_clear_value(column.type.max_length)
            for column in stream.masked_columns
            if column.type.max_length is not None
        }
        self._decode_json = json.JSONDecoder(
            object_pairs_hook=_object_without_duplicates,
            parse_float=_finite_number,
            parse_constant=_refuse_constant,
        ).decode

    def decode(self, body: str) -> Decoded:
        """Read one body.

        Args:
            body: The message's body as SQS gave it.

        Raises:
            InvalidValueError: It cannot become a row. Reason and detail hold names of fields and never a value.
        """
        document = self._object(body)
        values: list[object] = []
        missing: list[str] = []
        for column, read in self._fields:
            value = document.get(column.field, _ABSENT)
            if value is _ABSENT:
                missing.append(column.field)
            elif value is None and column.nullable:
                values.append(None)
            else:
                values.append(self._value(column, read, value))
        if missing:
            fields = "fields" if len(missing) > 1 else "field"
            raise InvalidValueError(Reason.MISSING_FIELD, f"{fields} {', '.join(missing)} missing")
        return Decoded(values, len(document) - len(values))

    def _object(self, body: str) -> dict[str, object]:
        try:
            document = self._decode_json(body)
        except InvalidValueError:
            raise
        except RecursionError:
            raise InvalidValueError(Reason.NOT_JSON, "the JSON is nested too deep to read") from None
        except json.JSONDecodeError as error:
            raise InvalidValueError(Reason.NOT_JSON, f"not JSON: {error.msg} at character {error.pos}") from None
        except ValueError:
            raise InvalidValueError(Reason.OUT_OF_RANGE, "the JSON holds an integer of thousands of digits") from None
        if type(document) is not dict:
            raise InvalidValueError(Reason.NOT_AN_OBJECT, "the JSON is not an object")
        return document

    def _value(self, column: Column, read: Reader, value: object) -> object:
        if value is None:
            raise InvalidValueError(Reason.NULL_FIELD, f"field {column.field} is null")
        try:
            read_value = read(value)
        except InvalidValueError as rejection:
            raise InvalidValueError(rejection.reason, f"field {column.field} {rejection.detail}") from None
        limit = self._token_limits.get(column.name)
        if limit is not None and len(str(read_value).encode()) > limit:
            detail = f"field {column.field} is longer than {limit} bytes, so its token would not fit {column.name}"
            raise InvalidValueError(Reason.TOO_LONG, detail)
        return read_value


_ABSENT = object()


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise InvalidValueError(
            Reason.DUPLICATE_KEY, "a key stands twice in one object, so the message has two meanings"
        )
    return document


def _finite_number(digits: str) -> Decimal:
    if math.isinf(float(digits)):
        raise InvalidValueError(Reason.OUT_OF_RANGE, "the JSON holds a number too large for a double")
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise InvalidValueError(
            Reason.OUT_OF_RANGE, "the JSON holds a number whose exponent has too many digits"
        ) from None


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidValueError(Reason.NOT_JSON, f"{name} is not JSON")
