"""Check queue, database and keyset as `run` does before it starts. No message is taken."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from maskline.errors import SetupError, UnavailableError
from maskline.pipeline.options import Options, job_settings
from maskline.pipeline.preflight import Finding, preflight


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    Options(parser.add_argument_group("the job")).add_job()


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print what was found, a line each; 2 if the job could not start, 75 if it may be able to later, as things are."""
    findings = preflight(job_settings(arguments))
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"{_mark(finding)}  {finding.part}: {finding.text}", markup=False)
    problems = [finding for finding in findings if finding.is_problem]
    if not problems:
        return 0
    is_temporary = all(finding.is_temporary for finding in problems)
    return (UnavailableError if is_temporary else SetupError).exit_code


def _mark(finding: Finding) -> str:
    if finding.is_problem:
        return "PROBLEM"
    return "warning" if finding.is_warning else "ok     "
