"""What the text of a column in clear may look like: regular expressions whose time grows with the text and no faster.

Whoever sends a message chooses the text. Python's ``re`` tries one way after another: ``(a+)+b`` keeps it busy with 40
characters for hours, holding the interpreter, so that nothing else of the job goes on and no stop is seen. RE2 walks
through a text once, whatever the expression; so it has no look-ahead, no look-behind and no references to groups.

Source: https://github.com/google/re2/wiki/Syntax, https://swtch.com/~rsc/regexp/regexp1.html
"""

from __future__ import annotations

from collections.abc import Callable


def full_match(pattern: str) -> Callable[[str], bool]:
    r"""Return a function that says whether a whole text matches.

    Args:
        pattern: A regular expression in RE2's syntax: ``\d``, ``\w`` and ``\s`` are those of ASCII.

    Raises:
        ValueError: It is none; the message says what is wrong with it.
    """
    import re2  # which only definitions with a pattern need

    options = re2.Options()
    options.log_errors = False  # to standard error, by itself
    try:
        find = re2.compile(pattern, options).fullmatch
    except re2.error as error:
        why = error.args[0]
        raise ValueError(
            f"pattern is not a regular expression as RE2 reads it: {why.decode() if isinstance(why, bytes) else why}"
        ) from None
    except UnicodeEncodeError:
        raise ValueError("pattern holds a lone surrogate, which is not Unicode text") from None
    return lambda text: find(text) is not None
