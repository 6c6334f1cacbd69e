"""Plain sentences on standard output and notices on standard error, without colors or wrapping."""

from __future__ import annotations

import json
import logging
import sys

from maskline.pipeline.harmless_text import visible
from maskline.pipeline.logs import EXIT_CODE_FIELD

logger = logging.getLogger("maskline")


def echo(sentence: str) -> None:
    """Print a sentence.

    Args:
        sentence: The sentence. What a terminal would obey in it, in a name that somebody gave a table say, is written
            out.
    """
    print(visible(sentence, one_line=False))  # noqa: T201


def notice(sentence: str) -> None:
    """Tell the user something on standard error: on a terminal a line that says whom it is from, else a log record.

    Where the package that writes records as JSON is missing, it is a line, too.

    Args:
        sentence: What the user should know, in one line; made harmless as by `echo`.
    """
    if is_error_terminal() or not logger.hasHandlers():
        print(f"maskline: {visible(sentence, one_line=False)}", file=sys.stderr)  # noqa: T201
    else:
        logger.warning(sentence)


def report_failure(sentence: str, exit_code: int) -> None:
    """Print to standard error why the program ends: on a terminal as a notice, else as a log record of level ERROR.

    Args:
        sentence: What is wrong, where, and what to do.
        exit_code: The program's.
    """
    if is_error_terminal() or not logger.hasHandlers():
        notice(sentence)
    else:
        logger.error(sentence, extra={EXIT_CODE_FIELD: exit_code})


def is_error_terminal() -> bool:
    """Return whether a person reads standard error as it is written."""
    return sys.stderr.isatty()


def notice_former_name(former: str, current: str) -> None:
    """Say that a command, an option or a variable was given by a name that goes in the next release.

    Args:
        former: The name that was given.
        current: The name to give.
    """
    notice(f"{former} is now {current}; the old name goes in the next release")


def counted(count: int, what: str) -> str:
    """Return a number with what it counts: ``1 row``, ``2,000 rows``.

    Args:
        count: The number.
        what: What is counted, in the singular.
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def text_of(value: object) -> str:
    """Return a value of a column as text: truth values, arrays and documents as JSON has them.

    Args:
        value: The value, not None.
    """
    if isinstance(value, bool | list | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def ending_of(value: object, characters: int = 10) -> str:
    """Return a value, shortened to its end if it is long: all tokens of a key begin alike.

    Args:
        value: The value of a column; None for NULL.
        characters: How many to show at the most.
    """
    text = "NULL" if value is None else text_of(value)
    return text if len(text) <= characters else "…" + text[1 - characters :]
