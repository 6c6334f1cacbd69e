"""The packages that are pinned, and for whom."""

from __future__ import annotations

import re

from tests.e2e.job_process import PROJECT

REQUIREMENTS = {
    "the job": PROJECT / "requirements.txt",
    "tests": PROJECT / "tests" / "requirements.txt",
    "benchmarks": PROJECT / "benchmarks" / "requirements.txt",
}


def pinned_for(*whom: str) -> list[str]:
    """Return the names of packages as they are pinned, with extras.

    Args:
        whom: Keys of `REQUIREMENTS`.
    """
    texts = [REQUIREMENTS[one].read_text(encoding="utf-8") for one in whom]
    return [name for text in texts for name in re.findall(r"^([\w\[\]-]+)==", text, re.MULTILINE)]
