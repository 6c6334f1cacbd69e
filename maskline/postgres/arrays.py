"""Arrays in Postgres's own text form, which costs a fraction of what a driver's ``ARRAY['…', …]`` does.

A micro-batch travels as one parameter a column. psycopg would adapt each value by itself, and the server would parse
each as an expression: together 20 µs a row, as text 8 µs.

Source: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import msgspec


def array_literal(values: Iterable[object]) -> str:
    """Return an array in text form, to be a parameter that is cast: ``%s::varchar[]``.

    Args:
        values: Texts, numbers, truth values, dates and times, bytes, None for NULL, or lists of these, each of which
            becomes the text of an array: Postgres would unnest an array of arrays down to its elements.
    """
    elements = list(values)
    return _array_of_plain_texts(elements) or "{" + ",".join(map(_element, elements)) + "}"


def moment_array(moments: Sequence[date]) -> str:
    """Return an array of dates, or of times with a zone, as `array_literal` does, at a tenth of the cost.

    In ISO 8601 they hold nothing to escape, so what makes JSON of a list of them makes an array, too.

    Args:
        moments: Dates or times.

    Source: https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-INPUT
    """
    return "{" + msgspec.json.encode(moments)[1:-1].decode() + "}"


def _array_of_plain_texts(elements: Sequence[Any]) -> str | None:
    """Return the array where all are texts with nothing to escape, at a tenth of the cost, and None elsewhere."""
    try:
        joined = '","'.join(elements)
    except TypeError:
        return None
    is_plain = "\\" not in joined and joined.count('"') == 2 * (len(elements) - 1)
    return '{"' + joined + '"}' if is_plain else None


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    text = value if type(value) is str else _text(value)
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _text(value: object) -> str:
    if type(value) is list:
        return array_literal(value)
    return "\\x" + value.hex() if type(value) is bytes else str(value)
