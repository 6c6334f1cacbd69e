"""``keys add``, ``import``, ``promote``, ``enable``, ``disable``, ``destroy``: step by step, and back."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from tests.maskline.keysets import KEY, reference_token, siv
from tests.pipeline.commands.keys.conftest import Keys, opened


def added(keys: Keys, keyset_file: Path) -> int:
    """Add a key and return its id."""
    assert keys("add") == 0
    return int(json.loads(keyset_file.read_text())["key"][-1]["keyId"])


def test_a_new_key_is_not_yet_the_primary(
    keys: Keys, keyset_file: Path, keyset_uri: str, keyset: Keyset, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    new = added(keys, keyset_file)

    assert opened(keyset_uri).primary_key_id == keyset.primary_key_id
    assert opened(keyset_uri).key_ids == {keyset.primary_key_id, new}
    previous = Path(f"{keyset_file}.previous")
    assert previous.read_bytes() == before
    assert [stat.S_IMODE(path.stat().st_mode) for path in (keyset_file, previous)] == [0o600, 0o600]
    assert capsys.readouterr().out.splitlines() == [
        f"Changed {keyset_uri}; the version before is {previous}.",
        f"Added key {new}, not yet the primary. Once every job and reader has this version: keys promote {new}",
    ]


def test_a_promoted_key_masks_and_the_one_before_still_unmasks(
    keys: Keys, keyset_file: Path, keyset_uri: str, keyset: Keyset
) -> None:
    old_token = Masker(keyset).mask("203.0.113.7", "d")
    new = added(keys, keyset_file)

    assert keys("promote", new) == 0

    rotated = opened(keyset_uri)
    assert rotated.primary_key_id == new
    assert Masker(rotated).unmask(old_token, "d") == "203.0.113.7"


def test_a_disabled_key_unmasks_again_once_it_is_enabled(
    keys: Keys, keyset_file: Path, keyset_uri: str, keyset: Keyset
) -> None:
    old = keyset.primary_key_id
    keys("promote", added(keys, keyset_file))

    keys("disable", old, "--no_database")
    while_disabled = opened(keyset_uri).key_ids
    keys("enable", old)

    assert old not in while_disabled
    assert old in opened(keyset_uri).key_ids


@pytest.mark.parametrize("action", ["disable", "destroy"])
def test_the_primary_stays(
    keys: Keys, keyset_file: Path, keyset: Keyset, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    before = keyset_file.read_bytes()

    exit_code = keys(action, keyset.primary_key_id, "--no_database")

    assert exit_code == 2
    assert "is the primary and cannot be" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_what_changes_nothing_keeps_the_version_before(
    keys: Keys, keyset_file: Path, keyset: Keyset, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("add")
    before = Path(f"{keyset_file}.previous").read_bytes()
    capsys.readouterr()

    assert keys("promote", keyset.primary_key_id) == 0

    assert capsys.readouterr().out.startswith(f"file:{keyset_file} stays as it is.\n")
    assert Path(f"{keyset_file}.previous").read_bytes() == before


@pytest.mark.parametrize("written_as", [KEY, KEY.hex().encode() + b"\n"], ids=["bytes", "digits"])
def test_an_imported_key_reads_what_plain_aes_siv_masked_elsewhere(
    keys: Keys, keyset_uri: str, tmp_path: Path, written_as: bytes
) -> None:
    file = tmp_path / "raw.key"
    file.write_bytes(written_as)
    file.chmod(0o600)

    assert keys("import", file) == 0

    token = siv(KEY, b"203.0.113.7", b"d").hex()
    assert Masker(opened(keyset_uri)).unmask(token, "d") == "203.0.113.7"


def test_a_key_imported_to_mask_can_be_promoted(
    keys: Keys, keyset_file: Path, keyset_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(KEY)))

    assert keys("import", "-", "--output_prefix=tink") == 0
    imported = json.loads(keyset_file.read_text())["key"][-1]["keyId"]
    assert keys("promote", imported) == 0

    assert Masker(opened(keyset_uri)).mask("v", "d") == reference_token(KEY, imported, "v", "d")


def test_a_key_file_that_others_can_read_is_refused(
    keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "our raw.key"
    file.write_bytes(KEY)
    file.chmod(0o644)

    exit_code = keys("import", file)

    assert exit_code == 2
    assert f"others can read it; run: chmod 600 '{file}'" in capsys.readouterr().err


def test_a_key_file_that_is_not_there_is_one_line(keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = keys("import", "/there/is/none.key")

    assert exit_code == 2
    assert capsys.readouterr().err == "maskline: key: the file cannot be read (No such file or directory)\n"


@pytest.mark.parametrize("digits", [128, 300])
def test_a_key_given_in_place_of_its_file_is_not_shown(
    keys: Keys, capsys: pytest.CaptureFixture[str], digits: int
) -> None:
    exit_code = keys("import", "5a" * (digits // 2))

    assert exit_code == 2
    assert capsys.readouterr().err == "maskline: key: give the name of the file that holds it, not the key itself\n"


def test_an_unknown_key_is_answered_with_those_that_there_are(
    keys: Keys, keyset: Keyset, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = keys("promote", 5)

    assert exit_code == 2
    assert capsys.readouterr().err == (f"maskline: key 5: is not in the keyset; it has: {keyset.primary_key_id}\n")
