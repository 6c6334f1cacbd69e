"""Suppressing the tracebacks of errors that the command line shows as one clear line.

Beam's worker, as Prism runs it in this process, prints each with ``print(…, file=sys.stderr)`` and logs it once more.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from maskline.errors import MasklineError

_BEGINNING = "Traceback (most recent call last):"
_OF_OURS = f"\n{MasklineError.__module__}."


def is_traceback_of_ours(text: str) -> bool:
    """Return whether a text holds a traceback that an error of ours ends."""
    return _BEGINNING in text and _OF_OURS in text


@contextlib.contextmanager
def suppress_own_tracebacks() -> Iterator[None]:
    """Keep the tracebacks of a `MasklineError` from standard error while the block runs."""
    with contextlib.redirect_stderr(_Quieter(sys.stderr)):
        yield


class _Quieter:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if is_traceback_of_ours(text) else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
