"""The command line: help that says what there is, and one line and an exit code for every error of a user."""

from __future__ import annotations

import pytest

from maskline.pipeline.cli import COMMANDS, main


def test_without_a_command_the_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main([])

    shown = capsys.readouterr().out
    assert exit_code == 2
    assert [command for command in COMMANDS if f"  {command} " not in shown] == []


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["rnu"])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: command 'rnu' is not known; known: local, flink, run, check, migrate, ddl, keys, remask, leakage, "
        "rejects, unmask, publish, lake, erase\n"
    )


def test_an_unknown_option_is_one_line_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["migrate", "--postgrse=secret"])

    assert exit_code == 2
    assert capsys.readouterr().err == ("maskline: unknown option --postgrse; see: python -m pipeline migrate --help\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([command, "--help"])

    shown = capsys.readouterr().out
    assert leaving.value.code == 0
    assert shown.startswith(f"usage: python -m pipeline {command}")


def test_run_shows_our_options_above_beams(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])

    shown = capsys.readouterr().out
    assert 0 < shown.index("--micro_batch_size") < shown.index("--prism_location")
