"""The job beside a name server that hangs: ``python -m tests.faults.hanging_resolver FILE COMMAND …``.

While the file is there, whoever looks up the database's name waits, as in libpq, where no signal is heard.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import psycopg

LOOK_SECONDS = 0.05

hangs = Path(sys.argv.pop(1))
connect = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]


def connect_once_resolved(*arguments: object, **options: object) -> object:
    """Connect when the name server answers."""
    while hangs.exists():
        threading.Event().wait(LOOK_SECONDS)
    return connect(*arguments, **options)


psycopg.Connection.connect = classmethod(connect_once_resolved)  # type: ignore[method-assign, assignment]

from maskline.pipeline.cli import run  # noqa: E402 - only now, as `shifted_clock` does

run()
