"""The screen that a command writes to: colors and styles on a terminal, and neither where NO_COLOR is set."""

from __future__ import annotations

import os

from rich.console import Console


def open_screen(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Return the console for standard output or standard error.

    With the variable NO_COLOR (https://no-color.org) set, not even bold type is printed, so that a screen that obeys no
    escape sequence shows a table as it is.

    Args:
        stderr: Whether it is standard error.
        soft_wrap: Whether the terminal itself breaks lines that are too long.
    """
    plain = bool(os.environ.get("NO_COLOR"))
    return Console(
        stderr=stderr, soft_wrap=soft_wrap, highlight=False, color_system=None if plain else "auto", no_color=plain
    )
