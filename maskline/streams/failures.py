"""The errors of a message that cannot become a row."""

from __future__ import annotations

from decimal import Decimal

from maskline.records import Reason


class InvalidValueError(Exception):
    """A message, or a value in it, is invalid for a stream. The text of the error never holds the value.

    Args:
        reason: Why, as a word to count by.
        detail: Why, to be read after the name of the field: ``"is longer than 32 characters"``.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def wrong_type(expected: str, value: object) -> InvalidValueError:
    """Return the error for a JSON value of another type than the expected one.

    Args:
        expected: What belongs there, ``"a string"`` say.
        value: What was there; only its type is told.
    """
    return InvalidValueError(Reason.WRONG_TYPE, f"is {json_name(value)}, not {expected}")


def json_name(value: object) -> str:
    """Return what JSON calls a value, ``an array`` say, and nothing of the value.

    Args:
        value: A value as the JSON reader gives it.
    """
    return _JSON_NAMES.get(type(value), "something else")


_JSON_NAMES: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    Decimal: "a number",
    bool: "true or false",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
