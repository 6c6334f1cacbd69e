"""The JSON text of a record that did not come from SQS: text as it is, bytes as UTF-8, a decoded record encoded again.

A decoded record goes through its text so that it meets the very checks that a message's body meets, and numbers keep
their digits.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError

_encode_with_types = msgspec.json.Encoder(decimal_format="number").encode


def record_text(record: str | bytes | dict[str, Any]) -> str:
    """Return a record's JSON text, not yet checked to be JSON where it came as text.

    Args:
        record: JSON as text or UTF-8, or a decoded record: values of JSON, and also ``Decimal``, ``datetime``,
            ``date``, ``time``, ``UUID``, ``bytes`` (as base64), dataclasses, tuples and sets.

    Raises:
        InvalidValueError: Bytes are not UTF-8, or a decoded record holds what JSON has no form for. The detail holds no
            value.
    """
    if isinstance(record, str):
        return record
    if isinstance(record, bytes):
        try:
            return record.decode()
        except UnicodeDecodeError as error:
            raise InvalidValueError(Reason.NOT_JSON, f"not UTF-8 at byte {error.start}") from None
    try:
        return _json_of(record)
    except RecursionError:
        raise InvalidValueError(Reason.NOT_JSON, "the record is nested too deep to read") from None
    except (TypeError, ValueError, OverflowError):
        raise InvalidValueError(
            Reason.NOT_JSON, "the record holds a value that JSON has no form for (NaN, an infinity, an object)"
        ) from None


def sealable_text(record: str | bytes | dict[str, Any]) -> str:
    """Return what is kept of a rejected record: its JSON text, or the nearest to it where it has none.

    Args:
        record: As for `record_text`. Bytes that are not UTF-8 come back from the text by
            ``text.encode("utf-8", "surrogateescape")``.
    """
    if isinstance(record, bytes):
        return record.decode("utf-8", "surrogateescape")
    try:
        return record_text(record)
    except InvalidValueError:
        try:
            return repr(record)
        except RecursionError:
            return ""


def _json_of(record: dict[str, Any]) -> str:
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False)
    except TypeError:
        # msgspec knows more types, and writes NaN as null.
        json.dumps(record, allow_nan=False, default=lambda _: None)
        return _encode_with_types(record).decode()
