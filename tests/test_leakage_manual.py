"""docs/masking.md, "Measured leakage": its measures of the sample data are what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from maskline.pipeline.local.samples import Samples
from tests.documents import blocks
from tests.e2e.job_process import PROJECT
from tests.maskline.keysets import opened
from tests.maskline.postgres.masked_rows import write_masked

SECTION = (PROJECT / "docs" / "masking.md").read_text().partition("## Measured leakage")[2]
PLOT = PROJECT / "docs" / "masking" / "leakage.svg"
SAMPLE_MESSAGES = 10_000


def test_its_measures_of_the_sample_data_and_its_plot_are_what_is_measured(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_masked(dsn, opened(7), Samples().bodies(0, SAMPLE_MESSAGES))
    (shown,) = blocks(SECTION, "text")
    command, _, expected = shown.partition("\n")
    drawn = tmp_path / "leakage.svg"

    exit_code = main([*command.split()[2:], f"--postgres={dsn}", f"--plot={drawn}"])

    assert exit_code == 0
    printed = capsys.readouterr().out
    assert printed.split() == expected.split()  # what is piped is not wrapped
    assert drawn.read_text() == PLOT.read_text()
