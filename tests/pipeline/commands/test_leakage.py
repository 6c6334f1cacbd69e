"""``leakage``: measured without a key; what it prints in full stands, and is checked, in docs/keys.md."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            ["--column=user_id"],
            "column 'user_id': is not a masked column of user_logins; those are: masked_ip, masked_",
        ),
        (["--column=masked_ip", "--top=0"], "top is 0; it must be 1 or more"),
        (["--column=masked_ip", "--possible_values=-1"], "possible_values is -1; it must be 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    dsn: str, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    exit_code = leakage(dsn, *options)

    assert exit_code == 2
    assert complaint in capsys.readouterr().err
