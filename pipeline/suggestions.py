"""Suggestions for names that are not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return ``; did you mean …?`` with the known name that is nearest, or an empty text where none is near.

    Args:
        name: What was given.
        known: What could have been.
        prefix: What all names begin with, which makes none of them nearer than the others.
    """
    nearest = difflib.get_close_matches(name.removeprefix(prefix), [each.removeprefix(prefix) for each in known], n=1)
    return f"; did you mean {prefix}{nearest[0]}?" if nearest else ""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return that a name is not known, with the nearest known name, or with all known names if none is near.

    Args:
        what: What it would be the name of.
        name: What was given.
        known: What could have been.
    """
    known = list(known)
    return f"{what} {name!r} is not known" + (suggestion(name, known) or f"; known: {', '.join(known)}")


def with_help(problem: str, program: str) -> str:
    """Return a problem with a command line, and where to read more.

    Args:
        problem: What is wrong.
        program: The program, with its command where one was given.
    """
    return f"{problem}{' ' if problem.endswith('?') else '; '}see: {program} --help"
