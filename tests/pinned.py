"""The packages that maskline, its benchmarks, its manual and its tests need, their versions, and where they stand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from tests.e2e.job_process import PROJECT

CONSTRAINTS = PROJECT / "constraints.txt"
LOCKS = (PROJECT / "requirements.lock", PROJECT / "requirements-worker.lock")
METADATA: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = {
    "benchmarks": PROJECT / "benchmarks" / "requirements.txt",
    "docs": PROJECT / "docs" / "requirements.txt",
    "tests": PROJECT / "tests" / "requirements.txt",
}
CORE = ""
"""In place of the name of an extra: what maskline needs without one."""


def pins(file: Path = CONSTRAINTS) -> dict[str, str]:
    """Return the version of each package that a file of pins names; names are in lower case, with hyphens."""
    found = re.findall(r"^([\w.-]+)==([\w.+!]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonical(name): version for name, version in found}


def declared(extra: str = CORE) -> set[str]:
    """Return what an extra brings, as the metadata name it; the extras that it names are followed.

    Args:
        extra: Its name, or `CORE`.
    """
    lines: list[str] = METADATA["optional-dependencies"][extra] if extra else METADATA["dependencies"]
    names: set[str] = set()
    for line in lines:
        own = re.fullmatch(r"maskline\[([\w,]+)\]", line)
        if own:
            names.update(*(declared(other) for other in own[1].split(",")))
        else:
            names.add(re.split("[<>=!~; ]", line, maxsplit=1)[0])
    return names


def listed(whom: str) -> set[str]:
    """Return what a file of requirements names itself.

    Args:
        whom: A key of `REQUIREMENTS`.
    """
    lines = REQUIREMENTS[whom].read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-"))}


def canonical(name: str) -> str:
    """Return a package's name without extras, as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
