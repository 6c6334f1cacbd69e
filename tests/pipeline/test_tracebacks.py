"""A traceback of an error of ours is left to the command line; any other is shown."""

from __future__ import annotations

import sys
import traceback

import pytest

from maskline.errors import DatabaseError
from maskline.pipeline.tracebacks import is_traceback_of_ours, suppress_own_tracebacks


def traceback_of(error: Exception) -> str:
    """Return the traceback of an error that was raised."""
    try:
        raise error
    except Exception:
        return traceback.format_exc()


def test_a_traceback_of_ours_is_not_printed_and_all_else_is(capsys: pytest.CaptureFixture[str]) -> None:
    with suppress_own_tracebacks():
        sys.stderr.write(traceback_of(DatabaseError("no table")))
        sys.stderr.write("a line\n")
        sys.stderr.write(traceback_of(ZeroDivisionError("a defect")))

    shown = capsys.readouterr().err
    assert "no table" not in shown
    assert "a line\n" in shown
    assert "ZeroDivisionError: a defect" in shown


def test_standard_error_is_what_it_was_afterwards() -> None:
    before = sys.stderr

    with suppress_own_tracebacks():
        assert sys.stderr.isatty() == before.isatty()

    assert sys.stderr is before


@pytest.mark.parametrize("text", ["", "maskline.errors.DatabaseError", traceback_of(ValueError("maskline.errors."))])
def test_what_only_speaks_of_one_is_none(text: str) -> None:
    assert not is_traceback_of_ours(text)
