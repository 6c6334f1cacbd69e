"""Standard input, output and error of a process that was started without one of them (``>&-``, a supervisor)."""

from __future__ import annotations

import os
import sys


def open_missing_streams() -> None:
    """Open ``/dev/null`` for each that is missing, so that no socket or file takes its number.

    Python has None for such a stream, and the next thing that is opened gets its number: a library that writes to
    standard error would write into the database's connection.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
