"""``keys split`` and ``combine``: any three of five open the backup, and no two."""

from __future__ import annotations

import stat
from itertools import combinations
from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from tests.pipeline.commands.keys.conftest import Keys, opened


@pytest.fixture
def shares(keys: Keys, tmp_path: Path) -> Path:
    """The directory of a split into five shares, of which three are needed."""
    assert keys("split", f"--directory={tmp_path / 'shares'}") == 0
    return tmp_path / "shares"


def combine(shares: Path, target: Path, *numbers: int) -> int:
    files = [str(shares / f"share-{number}.txt") for number in numbers]
    return main(["keys", "combine", f"--keyset=file:{target}", f"--backup={shares / 'keyset-backup.json'}", *files])


def test_a_split_writes_a_backup_and_shares_for_their_owner_alone(
    shares: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sorted(path.name for path in shares.iterdir()) == [
        "keyset-backup.json",
        "share-1.txt",
        "share-2.txt",
        "share-3.txt",
        "share-4.txt",
        "share-5.txt",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in shares.iterdir()} == {0o600}
    assert stat.S_IMODE(shares.stat().st_mode) == 0o700
    secrets = [path.read_text().strip() for path in shares.glob("share-*.txt")]
    assert not any(secret in capsys.readouterr().out for secret in secrets)


def test_any_three_recover_the_keyset(shares: Path, keyset_uri: str, tmp_path: Path) -> None:
    token = opened(keyset_uri).encrypt(b"clear", b"d")

    for numbers in combinations(range(1, 6), 3):
        target = tmp_path / f"recovered-{numbers}.json"
        assert combine(shares, target, *numbers) == 0
        assert opened(f"file:{target}").decrypt(token, b"d") == b"clear"


def test_two_do_not(shares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = combine(shares, tmp_path / "recovered.json", 1, 2)

    assert exit_code == 2
    assert capsys.readouterr().err == "maskline: shares: it takes 3 of 5, and 2 were given\n"
    assert not (tmp_path / "recovered.json").exists()


def test_a_damaged_share_is_named_by_its_file(shares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = shares / "share-2.txt"
    text = damaged.read_text()
    damaged.write_text(text[:50] + ("A" if text[50] != "A" else "B") + text[51:])

    exit_code = combine(shares, tmp_path / "recovered.json", 1, 2, 3)

    assert exit_code == 2
    assert f"share {damaged}: was damaged" in capsys.readouterr().err


def test_a_keyset_that_is_there_is_not_overwritten(
    shares: Path, keyset_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    exit_code = combine(shares, keyset_file, 1, 2, 3)

    assert exit_code == 2
    assert "is not overwritten" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--shares=3", "--threshold=4"], "it takes 2 <= threshold <= shares <= 255"),
        (["--threshold=1"], "it takes 2 <= threshold <= shares <= 255"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_and_nothing_is_written(
    keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    exit_code = keys("split", f"--directory={tmp_path / 'shares'}", *options)

    assert exit_code == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "shares").exists()


def test_a_directory_that_is_there_is_left_alone(
    keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = keys("split", f"--directory={tmp_path}")

    assert exit_code == 2
    assert "exists already; give one that does not" in capsys.readouterr().err
