"""The name of the program as it was started, so that commands in messages can be typed as they stand."""

from __future__ import annotations

import functools
import sys

CONSOLE_SCRIPT = "maskline"
PACKAGES = ("pipeline", "maskline.pipeline")


@functools.cache
def program_name() -> str:
    """Return ``maskline``, or ``python -m pipeline`` where Python was started so."""
    # Python sets sys.argv[0] to the path of the __main__.py, which no longer tells what stood behind -m; this does.
    specification = sys.modules["__main__"].__spec__
    package = specification.parent if specification else None
    return f"python -m {package}" if package in PACKAGES else CONSOLE_SCRIPT
