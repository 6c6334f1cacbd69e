"""A keyset is kept and changed in clear or encrypted, as its place says, and never one that does not open again."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
import tink
from tink import aead

from maskline.errors import KeysetError, UsageError
from maskline.keys import KeysetProvider, keyset_provider, open_keyset
from maskline.keys.files import FileKeyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.keyset_store import change_keyset, store_keyset
from tests.aws_emulation import EmulatedAws
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, stored

HANDLE = keyset_handle(stored(aes_siv_key(7), primary=7))
OTHER_HANDLE = keyset_handle(stored(aes_siv_key(8, OTHER_KEY), primary=8))
KEY_IN_BASE64 = base64.b64encode(b"\x12\x40" + KEY)
PLACES: list[Callable[[EmulatedAws, Path], str]] = [
    lambda aws, directory: f"file:{directory}/keyset.json",
    lambda aws, directory: f"aws-secretsmanager://maskline/{directory.name}",
    lambda aws, directory: f"aws-kms://{aws.create_kms_key()}?keyset=file:{directory}/keyset.json",
    lambda aws, directory: f"aws-kms://{aws.create_kms_key()}?keyset=s3://{aws.create_bucket()}/keyset.json",
    lambda aws, directory: f"aws-kms://{aws.create_kms_key()}?keyset=aws-secretsmanager://encrypted/{directory.name}",
]
NAMES = ["file", "secret", "encrypted file", "encrypted object", "encrypted secret"]


@pytest.fixture(params=PLACES, ids=NAMES)
def provider(request: pytest.FixtureRequest, aws: EmulatedAws, tmp_path: Path) -> KeysetProvider:
    """Each place that a keyset can be kept at."""
    return keyset_provider(request.param(aws, tmp_path))


@pytest.fixture
def in_file(tmp_path: Path) -> FileKeyset:
    """A keyset of key 7 in a file."""
    provider = FileKeyset(tmp_path / "keyset.json")
    store_keyset(HANDLE, provider)
    return provider


def test_a_keyset_is_kept_and_changed_at_every_place(provider: KeysetProvider) -> None:
    store_keyset(HANDLE, provider)
    before = provider.fetch()

    added, kept_at = change_keyset(provider, lambda editor: editor.add())

    assert open_keyset(before).key_ids == {7}
    assert open_keyset(provider.fetch()).key_ids == {7, added}
    assert open_keyset(provider.fetch()).primary_key_id == 7
    assert kept_at


def test_a_place_that_a_kms_key_guards_never_sees_the_keyset_in_clear(provider: KeysetProvider) -> None:
    store_keyset(HANDLE, provider)
    change_keyset(provider, lambda editor: editor.add())

    content = provider.fetch().content

    assert (KEY_IN_BASE64 in content) is (provider.kms_key is None)
    assert (b'"encryptedKeyset"' in content) is (provider.kms_key is not None)


def test_a_keyset_that_is_there_is_never_overwritten(provider: KeysetProvider) -> None:
    store_keyset(HANDLE, provider)
    before = provider.fetch()

    with pytest.raises(KeysetError, match="exists already and is not overwritten"):
        store_keyset(OTHER_HANDLE, provider)

    assert provider.fetch() == before


def test_a_step_that_is_refused_changes_nothing(in_file: FileKeyset) -> None:
    before = in_file.path.read_bytes()

    with pytest.raises(UsageError, match="key 7: is the primary and cannot be destroyed"):
        change_keyset(in_file, lambda editor: editor.destroy(7))

    assert in_file.path.read_bytes() == before
    assert not in_file.previous.exists()


def test_a_change_of_somebody_else_in_between_is_not_undone(in_file: FileKeyset) -> None:
    def slow(editor: KeysetEditor) -> int:
        change_keyset(in_file, lambda theirs: theirs.add())
        return editor.add()

    with pytest.raises(KeysetError) as refusal:
        change_keyset(in_file, slow)

    assert str(refusal.value) == (f"keyset {in_file.uri}: somebody else changed it meanwhile; look at it and try again")
    assert len(open_keyset(in_file.fetch()).key_ids) == 2


def test_the_version_before_a_change_is_where_it_is_said_to_be(in_file: FileKeyset) -> None:
    before = in_file.path.read_bytes()

    _, kept_at = change_keyset(in_file, lambda editor: editor.add())

    assert kept_at == f"{in_file.path}.previous"
    assert Path(kept_at).read_bytes() == before


def test_a_keyset_that_would_not_mask_is_not_kept(tmp_path: Path) -> None:
    aead.register()
    provider = FileKeyset(tmp_path / "keyset.json")

    with pytest.raises(KeysetError, match="is a AesGcmKey; masking needs AES256_SIV keys"):
        store_keyset(tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM), provider)

    assert list(tmp_path.iterdir()) == []


def test_who_may_encrypt_and_not_decrypt_keeps_nothing(
    tmp_path: Path, aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = keyset_provider(f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path}/keyset.json")
    for name, value in aws.credentials_for("kms:Encrypt").items():
        monkeypatch.setenv(name, value)

    with aws.enforcing_permissions(), pytest.raises(KeysetError) as refusal:
        store_keyset(HANDLE, provider)

    assert str(refusal.value) == (
        f"keyset {provider.uri}: KMS refuses these credentials (403); reading it needs kms:Decrypt, and changing it "
        "kms:Encrypt, on the key"
    )
    assert list(tmp_path.iterdir()) == []
