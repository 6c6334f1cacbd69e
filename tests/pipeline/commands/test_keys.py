"""``keys create``: a keyset for its owner alone, and never in place of another."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from maskline.keys import keyset_provider, open_keyset
from pipeline.cli import main


def test_a_new_keyset_is_its_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keyset.json"

    exit_code = main(["keys", "create", f"--keyset=file:{file}"])

    assert exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keyset = open_keyset(keyset_provider(f"file:{file}").fetch())
    assert f"primary key {keyset.primary_key_id}" in capsys.readouterr().out


def test_an_existing_keyset_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keyset.json"
    file.write_text("precious")

    exit_code = main(["keys", "create", f"--keyset=file:{file}"])

    assert exit_code == 2
    assert file.read_text() == "precious"
    assert "is not overwritten" in capsys.readouterr().err


def test_a_keyset_is_made_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["keys", "create", "--keyset=env:KEYSET"])

    assert exit_code == 2
    assert "give file:PATH" in capsys.readouterr().err
