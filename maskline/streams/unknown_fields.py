"""Counting the fields of a record that no column of a definition takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from maskline.streams.paths import EVERY, Path

_Known: TypeAlias = "dict[object, _Known] | None"
"""What is known below one place: by name, or by `EVERY` for elements of an array; None where all of it is."""


def unknown_field_counter(paths: Iterable[Path]) -> Callable[[dict[str, object]], int]:
    """Return a function that counts the fields of a record that none of the paths leads to or through.

    An object that no path enters counts as one field, whatever it holds.

    Args:
        paths: All that a definition knows of.
    """
    known: _Known = {}
    for path in paths:
        known = _with_path(known, path.steps)
    if known is None:
        return lambda _: 0
    if all(inner is None for inner in known.values()):
        names = frozenset(known)
        return lambda record: len(record.keys() - names)
    return lambda record: _count(record, known)


def _with_path(known: _Known, steps: tuple[object, ...]) -> _Known:
    if known is None or not steps:
        return None
    step = EVERY if isinstance(steps[0], int) else steps[0]
    known[step] = _with_path(known.get(step, {}), steps[1:])
    return known


def _count(value: object, known: _Known) -> int:
    if known is None:
        return 0
    if isinstance(value, dict):
        return sum(_count(inner, known[name]) if name in known else 1 for name, inner in value.items())
    if isinstance(value, list) and EVERY in known:
        return sum(_count(element, known[EVERY]) for element in value)
    return 0
