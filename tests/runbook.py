"""docs/operations.md, as somebody reads it who has an exit code and a line of the log, and nothing else."""

from __future__ import annotations

import re

from tests.e2e.job_process import PROJECT

_MANUAL = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")


def heading_for(exit_code: int | None, log: str) -> str:
    """Return the heading to which the manual's table of log lines leads, or fail where it has no such line.

    Args:
        exit_code: How the job ended, or None while it runs.
        log: What it logged; the last line is what counts where it has ended.
    """
    says = log if exit_code is None else log.splitlines()[-1]
    table = _MANUAL.partition("| exit code | the line says |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        codes, words, advice = (cell.strip() for cell in line.strip("|").split("|"))
        asked = re.findall(r"`([^`]+)`", words)
        matches = all if "` and `" in words else any
        fits = "none" in codes if exit_code is None else str(exit_code) in re.findall(r"\d+", codes)
        if fits and matches(each in says for each in asked):
            (anchor,) = re.findall(r"\]\(#([\w-]+)\)", advice)
            (title,) = (title for title in re.findall(r"^### (.+)$", _MANUAL, re.MULTILINE) if _anchor(title) == anchor)
            return str(title)
    raise AssertionError(f"docs/operations.md has no line for {exit_code} and: {says}")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
