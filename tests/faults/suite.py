"""The command line of the fault suite: runs it and reports it.

Every scenario runs on FnApiRunner, the soak included. ``--every-runner`` has them run on Prism, too, and ``--only hangs
kills`` leaves it at some kinds of fault. What was measured goes to tests/faults/results, a file a kind of fault, and
from there into docs/reliability.md and docs/reliability-tables.md; kinds that did not run keep what was there before.
A run that is interrupted (Ctrl-C, SIGTERM) reports what it has, and says that it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from tests.e2e.job_process import PROJECT
from tests.faults.conftest import EVERY_ENGINE
from tests.faults.report import RESULTS, Report, kind_of, write_documents

PLAIN = "--override-ini=addopts=--strict-markers --strict-config -ra --import-mode=importlib"
FILES = {kind_of(file.name): file for file in sorted(Path(__file__).parent.glob("test_*.py"))}


def main(arguments: list[str]) -> int:
    """Run the scenarios that were asked for and write the documents."""
    options = suite_parser().parse_args(arguments)
    files = [str(FILES[kind].relative_to(PROJECT)) for kind in options.only or FILES]
    if options.every_runner:
        os.environ[EVERY_ENGINE] = "yes"
    else:
        os.environ.pop(EVERY_ENGINE, None)
    markers = [] if options.every_runner else ["-m", "not prism"]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = Report(commit=_commit(), started_at=datetime.now(UTC).replace(microsecond=0))
    workers = [f"--numprocesses={options.workers}", "--dist=load"] if options.workers > 1 else []
    # The reports' own conftest has imported xdist before pytest could rewrite it.
    xdist_as_it_is = "-Wignore::pytest.PytestAssertRewriteWarning"
    exit_code = pytest.main([PLAIN, xdist_as_it_is, "--quiet", *workers, *markers, *files], plugins=[report])
    Console().print(report.table())
    report.write(RESULTS, interrupted=exit_code == pytest.ExitCode.INTERRUPTED)
    write_documents(RESULTS, PROJECT / "docs")
    return int(exit_code)


def suite_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Run the fault suite and report it.")
    parser.add_argument("--only", nargs="+", choices=sorted(FILES), metavar="KIND", help=f"of {', '.join(FILES)}")
    parser.add_argument("--every-runner", action="store_true", help="run every scenario on Prism, too")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many scenarios run at once (2)")
    return parser


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PROJECT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    reported = [":!docs/reliability.md", ":!docs/reliability-tables.md", ":!tests/faults/results"]
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *reported)
    return git("rev-parse", "--short=9", "HEAD") + (" with changes" if changed else "")
