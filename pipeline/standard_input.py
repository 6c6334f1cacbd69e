"""Values of people, from standard input: on a command line, every process of the machine could read them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

from maskline.errors import UsageError


def values_of_lines(source: TextIO | None = None) -> Iterator[str]:
    """Yield the value of each line, whatever is in it; that of an empty line is the empty text.

    Args:
        source: What to read; standard input if None.

    Raises:
        UsageError: A line is not UTF-8.
    """
    source = source or sys.stdin
    try:
        for line in source:
            line.encode()  # where the locale is C, Python reads what is no UTF-8 as surrogates
            yield line.removesuffix("\n")
    except UnicodeError:
        raise UsageError("standard input: is not text in UTF-8") from None
