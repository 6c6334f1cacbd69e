"""Help that fits the terminal: paragraphs and summaries are wrapped, and no option is broken at a hyphen."""

from __future__ import annotations

import argparse
import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping

_MARGIN = 2
"""What argparse leaves free at the right."""

_WIDE = 70


class HelpFormatter(argparse.HelpFormatter):
    """Wraps the description of a command, a paragraph at a time, and the help of its options."""

    def __init__(self, prog: str) -> None:
        # On a narrow terminal the meanings begin further left, for the longest of their words have to fit.
        super().__init__(prog, max_help_position=24 if _terminal_width() >= _WIDE else 10)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
        return "\n\n".join(
            textwrap.indent("\n".join(self._split_lines(paragraph, width - len(indent))), indent)
            for paragraph in paragraphs
        )

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width)


def summaries(commands: Mapping[str, str], width: int = 0) -> Iterator[str]:
    """Return the lines of each command, for the help of the program.

    Args:
        commands: The commands, each with its summary.
        width: How many characters the names take, where they take more than the longest of these.
    """
    width = max(width, *map(len, commands))
    indent = " " * (width + 4)
    for name, summary in commands.items():
        first, *others = _wrapped(summary, _terminal_width() - len(indent))
        yield f"  {name.ljust(width)}  {first}"
        yield from (indent + line for line in others)


def paragraph(text: str) -> str:
    """Return a paragraph of the program's help, wrapped.

    Args:
        text: The paragraph.
    """
    return "\n".join(_wrapped(text, _terminal_width()))


def _terminal_width() -> int:
    return shutil.get_terminal_size().columns - _MARGIN


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), max(width, 20), break_long_words=False, break_on_hyphens=False)
