"""Sentences on standard output and notices on standard error, as they are: no colors, no folding, to be searched."""

from __future__ import annotations

import sys


def echo(sentence: str) -> None:
    """Print a sentence.

    Args:
        sentence: The sentence.
    """
    print(sentence)  # noqa: T201


def notice(sentence: str) -> None:
    """Print a line on standard error that says whom it is from.

    Args:
        sentence: What the user should know, in one line.
    """
    print(f"maskline: {sentence}", file=sys.stderr)  # noqa: T201


def notice_former_name(former: str, current: str) -> None:
    """Say that a command, an option or a variable was given by a name that goes in the next release.

    Args:
        former: The name that was given.
        current: The name to give.
    """
    notice(f"{former} is now {current}; the old name goes in the next release")


def ending_of(value: object, characters: int = 10) -> str:
    """Return a value, or the end of a long one: all tokens of a key begin alike.

    Args:
        value: The value of a column; None for NULL.
        characters: How many to show at the most.
    """
    text = "NULL" if value is None else str(value)
    return text if len(text) <= characters else "…" + text[1 - characters :]
