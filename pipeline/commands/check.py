"""Check queue, database and keyset as `run` does before it starts. No message is taken."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from maskline.errors import SetupError, UnavailableError
from maskline.pipeline.options import Options, job_settings
from maskline.pipeline.preflight import Finding, preflight
from maskline.pipeline.printing import echo


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    Options(parser.add_argument_group("the job")).add_job()
    Options(parser).add("json", "print JSON, an object a line", action="store_true")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print what was found, a line each; 2 if the job could not start, 75 if it may be able to later, as things are."""
    findings = preflight(job_settings(arguments))
    for finding in findings:
        echo(_as_json(finding) if arguments.json else f"{_mark(finding)}  {finding.part}: {finding.text}")
    problems = [finding for finding in findings if finding.is_problem]
    if not problems:
        return 0
    is_temporary = all(finding.is_temporary for finding in problems)
    return (UnavailableError if is_temporary else SetupError).exit_code


def _mark(finding: Finding) -> str:
    if finding.is_problem:
        return "PROBLEM"
    return "warning" if finding.is_warning else "ok     "


def _as_json(finding: Finding) -> str:
    state = _mark(finding).strip().lower()
    return json.dumps(
        {"part": finding.part, "state": state, "temporary": finding.is_temporary, "text": finding.text},
        ensure_ascii=False,
    )
