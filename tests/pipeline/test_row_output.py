"""Rows are printed with texts made harmless, and as they are where that is asked for."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest

from maskline.pipeline.row_output import CsvPrinter, row_printer

ROW = ["\x1b[31m=1", "=1+1", "two\nlines", -5]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("output", "raw", "printed"),
    [
        (io.StringIO(), False, '\\x1b[31m=1,\'=1+1,"two\nlines",-5\r\n'),
        (Terminal(), False, "\\x1b[31m=1,'=1+1,two\\x0alines,-5\r\n"),
        (io.StringIO(), True, '\x1b[31m=1,=1+1,"two\nlines",-5\r\n'),
    ],
)
def test_csv_is_harmless_unless_it_is_to_be_raw(output: io.StringIO, raw: bool, printed: str) -> None:
    row_printer(["a", "b", "c", "d"], as_json=False, raw=raw, output=output)(ROW)

    assert output.getvalue() == "a,b,c,d\r\n" + printed


def test_arrays_documents_and_truth_values_are_as_json_has_them_in_csv() -> None:
    output = io.StringIO()
    printer = CsvPrinter(["a"], raw=False, output=output)

    for value in (["x", None], {"b": True}, [Decimal("1.50")], False, None):
        printer([value])

    assert list(csv.reader(io.StringIO(output.getvalue())))[1:] == [
        ['["x", null]'],
        ['{"b": true}'],
        ['["1.50"]'],
        ["false"],
        [""],
    ]


@pytest.mark.parametrize(("raw", "has_control"), [(False, False), (True, True)])
def test_json_keeps_its_meaning_either_way(raw: bool, has_control: bool) -> None:
    output = io.StringIO()

    row_printer(["a"], as_json=True, raw=raw, output=output)(["\x9b31m \u202e"])

    assert json.loads(output.getvalue()) == {"a": "\x9b31m \u202e"}
    assert ("\x9b" in output.getvalue()) is has_control


def test_that_values_were_altered_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    printer = CsvPrinter(["a", "b", "c", "d"], raw=False, output=io.StringIO())
    printer(ROW)
    printer(["fine", "", "", 1])

    printer.notice_altered()

    assert "2 values with control characters or formulas were made harmless; --raw" in capsys.readouterr().err
