"""What is installed, as ``--version`` shows it."""

from __future__ import annotations

import importlib.metadata
import platform

from maskline import __version__

_SHOWN = {"Apache Beam": "apache-beam", "Tink": "tink"}


def format_versions() -> str:
    """Return the version of maskline, and below it those of Beam and Tink, where they are installed, and of Python."""
    lines = [f"maskline {__version__}"]
    for name, distribution in _SHOWN.items():
        try:
            lines.append(f"{name} {importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "\n".join([*lines, f"Python {platform.python_version()}"])
