"""Personal values from standard input; on a command line every process of the machine could read them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

from maskline.errors import UsageError
from maskline.pipeline.printing import notice


def values_of_lines(what: str = "values", source: TextIO | None = None) -> Iterator[str]:
    """Yield the value of each line; that of an empty line is the empty text.

    Whoever started the command at a terminal, without a pipe, is told what is waited for.

    Args:
        what: What the lines are.
        source: What to read; standard input if None.

    Raises:
        UsageError: A line is not UTF-8.
    """
    source = source or sys.stdin
    if source.isatty():
        notice(f"standard input: write the {what}, one a line, and end with Ctrl-D")
    try:
        for line in source:
            line.encode()  # where the locale is C, Python reads what is no UTF-8 as surrogates
            yield line.removesuffix("\n")
    except UnicodeError:
        raise UsageError("standard input: is not text in UTF-8") from None
