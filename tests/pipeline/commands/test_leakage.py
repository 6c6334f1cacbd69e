"""``leakage``: measured without a key; what it prints in full stands, and is checked, in docs/keys.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from tests.maskline.keysets import opened
from tests.maskline.logins import login
from tests.maskline.postgres.masked_rows import write_masked
from tests.pipeline.commands.conftest import Write


def leakage(dsn: str, *options: str) -> int:
    return main(["leakage", f"--postgres={dsn}", *options])


def test_an_empty_column_gives_nothing_away(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = leakage(dsn, "--column=masked_ip")

    assert exit_code == 0
    assert capsys.readouterr().out == "user_logins.masked_ip: 0 rows with a token, 0 with NULL\n"


def test_tokens_of_several_keys_are_called_what_they_are(
    dsn: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login()])
    write_masked(dsn, opened(7), [login()])

    leakage(dsn, "--column=masked_ip")

    shown = " ".join(capsys.readouterr().out.split())
    assert "sees the tokens of 2 keys here, so equal values may look different: run remask" in shown


# Two devices of one login each are told apart by their locales, and nothing tells the other two apart.
FOUR_LOGINS = [
    login(ip="203.0.113.1", locale="DE"),
    login(ip="203.0.113.2", locale="FR"),
    login(ip="203.0.113.3", locale="RU"),
    login(ip="203.0.113.4", locale="RU"),
]


def test_what_was_measured_is_an_object(dsn: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(FOUR_LOGINS)

    exit_code = leakage(dsn, "--column=masked_ip", "--beside=locale", "--budget=49.9", "--top=1", "--json")

    said = capsys.readouterr()
    measured = json.loads(said.out)
    (most_frequent,) = measured.pop("most_frequent")
    assert (exit_code, len(said.err.splitlines())) == (1, 1)
    assert (most_frequent["rows"], most_frequent["token"][:1]) == (1, "A")
    assert measured == {
        "column": "user_logins.masked_ip",
        "null_rows": 0,
        "keys": 1,
        "rows": 4,
        "tokens": 4,
        "singletons": 4,
        "largest": 1,
        "entropy_bits": 2.0,
        "max_entropy_bits": 2.0,
        "identified_tokens": 0,
        "identified_rows": 0,
        "guessed_tokens": 1,
        "guessed_rows": 1,
        "identified_rows_beside": {"locale": 2},
    }


@pytest.mark.parametrize(
    ("options", "exit_code"),
    [
        ([], 0),
        (["--budget=0"], 0),
        (["--beside=locale"], 0),
        (["--beside=locale", "--budget=50"], 0),
        (["--beside=locale", "--budget=49.9"], 1),
        (["--beside=device_type, locale", "--budget=0"], 1),
    ],
)
def test_more_identified_rows_than_the_budget_end_with_exit_code_1(
    dsn: str, write: Write, options: list[str], exit_code: int
) -> None:
    write(FOUR_LOGINS)

    assert leakage(dsn, "--column=masked_ip", *options) == exit_code


def test_what_is_above_the_budget_is_said_in_one_line(
    dsn: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(FOUR_LOGINS)

    leakage(dsn, "--column=masked_ip", "--beside=device_type,locale", "--budget=5")

    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "user_logins.masked_ip: 50.0% of its rows, with device_type, locale beside it, are identified; the budget is 5%"
    ) in line


def test_an_empty_column_is_within_every_budget(dsn: str) -> None:
    assert leakage(dsn, "--column=masked_ip", "--budget=0") == 0


def test_the_plot_has_a_curve_for_each_thing_that_is_known(dsn: str, write: Write, tmp_path: Path) -> None:
    write(FOUR_LOGINS)

    exit_code = leakage(dsn, "--column=masked_ip", "--beside=device_type,locale", f"--plot={tmp_path}/a.svg")

    assert exit_code == 0
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn.startswith("<?xml")
    for text in ("user_logins.masked_ip", "frequency and length", "and device_type", "and locale"):
        assert f">{text}" in drawn


def test_a_plot_that_cannot_be_written_is_one_line(
    dsn: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(FOUR_LOGINS)

    exit_code = leakage(dsn, "--column=masked_ip", f"--plot={tmp_path}/missing/a.svg")

    assert exit_code == 2
    assert "missing/a.svg: cannot be written (No such file or directory)" in capsys.readouterr().err


def test_a_plot_without_its_library_names_the_extra(
    dsn: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(FOUR_LOGINS)
    monkeypatch.delitem(sys.modules, "maskline.pipeline.leakage_plot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    exit_code = leakage(dsn, "--column=masked_ip", f"--plot={tmp_path}/a.svg")

    assert exit_code == 2
    assert capsys.readouterr().err.endswith("needs matplotlib, which is not installed: pip install 'maskline[plots]'\n")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            ["--column=user_id"],
            "column 'user_id': is not a masked column of user_logins; those are: masked_ip, masked_",
        ),
        (["--column=masked_ip", "--top=0"], "top is 0; it must be 1 or more"),
        (
            ["--column=masked_ip", "--beside=locale,masked_device_id"],
            "beside: masked_device_id is masked; give columns",
        ),
        (["--column=masked_ip", "--beside=locale,locale"], "beside is 'locale,locale'; give columns with commas"),
        (["--column=masked_ip", "--beside=,"], "beside is ','; give columns with commas between, each once"),
        (["--column=masked_ip", "--beside=countri"], "countri"),
        (["--column=masked_ip", "--budget=101"], "budget is 101; it is a percentage, 0 to 100"),
        (["--column=masked_ip", "--budget=nan"], "budget is nan; it is a percentage, 0 to 100"),
        (["--column=masked_ip", "--possible_values=-1"], "possible_values is -1; it must be 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    dsn: str, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    exit_code = leakage(dsn, *options)

    assert exit_code == 2
    assert complaint in capsys.readouterr().err
