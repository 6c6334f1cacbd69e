"""``keys add``, ``import``, ``promote``, ``enable``, ``disable``, ``destroy``: step by step, and back."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from maskline.keys import Keyset
from maskline.masking import Masker
from tests.maskline.keysets import KEY, reference_token, siv
from tests.maskline.logins import login
from tests.pipeline.commands.conftest import Write
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

    keys("disable", old)
    while_disabled = opened(keyset_uri).key_ids
    keys("enable", old)

    assert old not in while_disabled
    assert old in opened(keyset_uri).key_ids


@pytest.mark.parametrize("action", ["disable", "destroy"])
def test_the_primary_stays(
    keys: Keys, keyset_file: Path, keyset: Keyset, dsn: str, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    before = keyset_file.read_bytes()
    options = [f"--postgres={dsn}"] if action == "destroy" else []

    exit_code = keys(action, keyset.primary_key_id, *options)

    assert exit_code == 2
    assert "is the primary and cannot be" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_a_key_whose_id_rows_carry_is_not_destroyed(
    keys: Keys,
    keyset_file: Path,
    keyset: Keyset,
    dsn: str,
    write: Write,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = keyset.primary_key_id
    write([login(), login(), "not JSON"])
    keys("promote", added(keys, keyset_file))
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old, f"--postgres={dsn}")

    assert exit_code == 2
    assert capsys.readouterr().err == (
        f"maskline: key {old}: 1 rows of rejected_messages and 2 rows of user_logins carry its id, and could not be "
        "recovered without it; bring them under the primary key with: python -m pipeline remask; or say --force\n"
    )
    assert keyset_file.read_bytes() == before


def test_without_a_database_to_count_in_a_key_is_not_destroyed(
    keys: Keys, keyset_file: Path, keyset: Keyset, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("promote", added(keys, keyset_file))

    exit_code = keys("destroy", keyset.primary_key_id)

    assert exit_code == 2
    assert "rows that carry the key's id are counted first: give --postgres, or say --force" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["nothing carries its id", "by force"])
def test_a_destroyed_key_is_gone_and_its_id_stays_on_record(
    keys: Keys, keyset_file: Path, keyset: Keyset, dsn: str, write: Write, how: str
) -> None:
    old = keyset.primary_key_id
    key_bytes = json.loads(keyset_file.read_text())["key"][0]["keyData"]["value"]
    if how == "by force":
        write([login()])
    keys("promote", added(keys, keyset_file))

    exit_code = keys("destroy", old, *(["--force"] if how == "by force" else [f"--postgres={dsn}"]))

    assert exit_code == 0
    assert key_bytes not in keyset_file.read_text()
    assert json.loads(keyset_file.read_text())["key"][0] == {
        "keyId": old,
        "outputPrefixType": "TINK",
        "status": "DESTROYED",
    }


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
    file = tmp_path / "raw.key"
    file.write_bytes(KEY)
    file.chmod(0o644)

    exit_code = keys("import", file)

    assert exit_code == 2
    assert "others can read it" in capsys.readouterr().err


def test_a_key_file_that_is_not_there_is_one_line(keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = keys("import", "/there/is/none.key")

    assert exit_code == 2
    assert capsys.readouterr().err == "maskline: key /there/is/none.key: there is no such file\n"


def test_an_unknown_key_is_answered_with_those_that_there_are(
    keys: Keys, keyset: Keyset, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = keys("promote", 5)

    assert exit_code == 2
    assert capsys.readouterr().err == (f"maskline: key 5: is not in the keyset; it has: {keyset.primary_key_id}\n")
