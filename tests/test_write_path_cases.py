"""Each case of the write path that CONTRIBUTING.md lists has the test that it names."""

from __future__ import annotations

import re

import pytest

from tests.e2e.job_process import PROJECT

CASES = re.findall(
    r"^\| .+ \| `(\S+\.py)` \| `(test_\w+)` \|$", (PROJECT / "CONTRIBUTING.md").read_text(), re.MULTILINE
)


def test_the_cases_are_listed() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize(("file", "test"), CASES)
def test_a_case_has_its_test(file: str, test: str) -> None:
    assert f"def {test}(" in (PROJECT / file).read_text()
