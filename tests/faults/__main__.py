"""Run the fault suite and print one table: ``python -m tests.faults``.

Without arguments every scenario runs, the soak included, and the table goes to docs/reliability.md, too. With some,
pytest gets them: ``python -m tests.faults tests/faults/test_kills.py``.
"""

from __future__ import annotations

import os
import sys

import pytest
from rich.console import Console

from tests.e2e.job_process import PROJECT
from tests.faults.conftest import EVERY_ENGINE
from tests.faults.report import Report

os.environ.setdefault(EVERY_ENGINE, "yes")
PLAIN = "--override-ini=addopts=--strict-markers --strict-config -ra --import-mode=importlib"
EVERYTHING = ["tests/faults", "--numprocesses=2", "--dist=load"]

arguments = sys.argv[1:]
report = Report()
exit_code = pytest.main([PLAIN, "--quiet", *(arguments or EVERYTHING)], plugins=[report])
Console().print(report.table())
if not arguments:
    report.write(PROJECT / "docs" / "reliability.md")
sys.exit(exit_code)
