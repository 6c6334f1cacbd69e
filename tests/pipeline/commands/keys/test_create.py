"""``keys create``, ``wrap`` and ``unwrap``: a keyset for its owner alone, and never in place of another."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from maskline.keys import KeysetUri
from maskline.masks.deterministic import Masker
from maskline.masks.hash import HashMask
from maskline.pipeline.cli import main
from tests.aws_emulation import EmulatedAws
from tests.pipeline.commands.keys.conftest import Keys, opened


def test_a_new_keyset_is_its_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new.json"

    exit_code = main(["keys", "create", f"--keyset=file:{file}"])

    assert exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert capsys.readouterr().out.splitlines() == [
        f"Made file:{file} with primary key {opened(f'file:{file}').primary_key_id}.",
        "Keep a copy in a safe place: without it, nothing it masked can be recovered.",
    ]


def test_an_existing_keyset_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "precious.json"
    file.write_text("precious")

    exit_code = main(["keys", "create", f"--keyset=file:{file}"])

    assert exit_code == 2
    assert file.read_text() == "precious"
    assert "is not overwritten" in capsys.readouterr().err


def test_a_keyset_is_not_made_in_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["keys", "create", "--keyset=env:KEYSET"])

    assert exit_code == 2
    assert "make and change the keyset in a file (file:PATH)" in capsys.readouterr().err


def test_a_keyset_goes_to_kms_and_back_and_masks_the_same(
    keys: Keys, keyset_uri: str, aws: EmulatedAws, tmp_path: Path
) -> None:
    encrypted = f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path / 'encrypted.json'}"

    assert keys("wrap", "--target", encrypted) == 0
    assert main(["keys", "unwrap", f"--keyset={encrypted}", f"--target=file:{tmp_path / 'back.json'}"]) == 0

    tokens = {
        Masker(opened(uri)).mask("203.0.113.7", "d") for uri in (keyset_uri, encrypted, f"file:{tmp_path}/back.json")
    }
    assert len(tokens) == 1


def test_a_keyset_that_kms_encrypts_is_never_on_disk_in_clear(aws: EmulatedAws, tmp_path: Path) -> None:
    encrypted = f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path / 'encrypted.json'}"

    assert main(["keys", "create", f"--keyset={encrypted}"]) == 0
    assert main(["keys", "add", f"--keyset={encrypted}"]) == 0

    assert len(opened(encrypted).key_ids) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encrypted.json", "encrypted.json.previous"]
    assert all('"encryptedKeyset"' in path.read_text() for path in tmp_path.iterdir())
    assert not any('"keyData"' in path.read_text() for path in tmp_path.iterdir())


def test_wrapping_needs_something_that_encrypts(keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = keys("wrap", "--target", f"file:{tmp_path / 'copy.json'}")

    assert exit_code == 2
    assert "nothing encrypts it there; give aws-kms://KEY_ARN?keyset=URI" in capsys.readouterr().err
    assert not (tmp_path / "copy.json").exists()


def test_unwrapping_goes_from_kms_to_a_place_in_clear(
    keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = keys("unwrap", "--target", f"file:{tmp_path / 'copy.json'}")

    assert exit_code == 2
    assert "unwrap: goes from --keyset aws-kms://KEY_ARN?keyset=URI" in capsys.readouterr().err


def test_a_keyset_of_hashes_says_what_it_is_for_and_hashes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = f"file:{tmp_path / 'hashes.json'}"

    exit_code = main(["keys", "create", "--kind=hash", f"--keyset={uri}"])

    keyset = KeysetUri.parse(uri).open_hash()
    assert exit_code == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Made {uri} with key {keyset.key_id}, for hashes: give it as --hash_keyset.",
        "Keep a copy in a safe place: without it, the hash of a value cannot be made again.",
    ]
    assert len(HashMask(keyset, "email").mask("ann@example.com")) == 22


def test_a_keyset_of_hashes_goes_to_kms_and_neither_masks_nor_rotates(
    aws: EmulatedAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = f"file:{tmp_path / 'hashes.json'}"
    encrypted = f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path / 'encrypted.json'}"
    main(["keys", "create", "--kind=hash", f"--keyset={plain}"])
    key_id = KeysetUri.parse(plain).open_hash().key_id

    assert main(["keys", "wrap", f"--keyset={plain}", f"--target={encrypted}"]) == 0
    assert main(["keys", "add", f"--keyset={plain}"]) == 2

    assert KeysetUri.parse(encrypted).open_hash().key_id == key_id
    assert capsys.readouterr().err == (
        f"maskline: keyset {plain}: is one of hashes (key {key_id} is an HmacPrfKey), which neither masks nor rotates; "
        "masking takes a keyset with AES256_SIV keys\n"
    )
