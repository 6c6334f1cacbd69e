"""Keysets in Vault's KV engine, and encrypted by its transit engine, bound to their purpose."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tink import aead

pytest.importorskip("hvac", reason="the extra vault is not installed")

from maskline.errors import ArgumentError, KeysetError, KeysetUnavailableError
from maskline.keys import keyset_provider, load_keyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.keyset_store import change_keyset, store_keyset
from maskline.keys.kms import NotDecryptedError
from maskline.keys.vault import VaultKvKeyset, VaultTransitKey, open_vault
from maskline.pipeline.cli import main
from tests.maskline.keys.stub_services import StubVault
from tests.maskline.keysets import KEY, aes_siv_key, siv, stored

pytestmark = pytest.mark.heavy

IN_CLEAR = stored(aes_siv_key(7), primary=7)
NEW, NEWER = b'{"new": "keyset"}', b'{"newer": "keyset"}'


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StubVault]:
    """Vault, and in the environment the way there."""
    with StubVault() as service:
        monkeypatch.setenv("VAULT_ADDR", f"http://{service.host}")
        monkeypatch.setenv("VAULT_TOKEN", StubVault.TOKEN)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield service


def test_a_keyset_is_kept_read_and_replaced_and_never_over_anothers_change(vault: StubVault) -> None:
    place = VaultKvKeyset("//secret/maskline/logins")
    place.create(NEW)

    with pytest.raises(KeysetError, match="exists already and is not overwritten"):
        place.create(NEWER)
    kept = place.replace(NEW, NEWER)
    with pytest.raises(KeysetError, match="somebody else changed it meanwhile"):
        place.replace(NEW, b"{}")

    assert place.fetch().content == NEWER
    assert kept == "the secret's version 1"
    assert vault.secrets["maskline/logins"] == [{"keyset": NEW.decode()}, {"keyset": NEWER.decode()}]


def test_a_change_between_reading_and_writing_is_noticed(vault: StubVault, monkeypatch: pytest.MonkeyPatch) -> None:
    place = VaultKvKeyset("//secret/logins")
    place.create(NEW)
    read = place._read

    def read_and_be_overtaken() -> tuple[bytes, int]:
        found = read()
        vault.secrets["logins"].append({"keyset": "another's"})
        return found

    monkeypatch.setattr(place, "_read", read_and_be_overtaken)

    with pytest.raises(KeysetError, match="somebody else changed it meanwhile"):
        place.replace(NEW, NEWER)

    assert vault.secrets["logins"][-1] == {"keyset": "another's"}


def test_a_key_of_transit_encrypts_a_keyset_through_a_whole_rotation(vault: StubVault) -> None:
    uri = "vault-transit://transit/maskline?keyset=vault-kv://secret/logins"
    provider = keyset_provider(uri)
    store_keyset(keyset_handle(IN_CLEAR), provider)

    new_id, _ = change_keyset(provider, KeysetEditor.add)
    keyset = load_keyset(uri)

    assert provider.uri == uri
    assert keyset.encrypt(b"clear", b"domain") == b"\x01\x00\x00\x00\x07" + siv(KEY, b"clear", b"domain")
    assert keyset.key_ids == {7, new_id}
    assert base64.b64encode(KEY).decode()[:24] not in str(vault.secrets)
    purposes = {request.fields["associated_data"] for request in vault.requests if "/transit/" in request.path}
    assert purposes == {"bWFza2xpbmUua2V5c2V0"}, "maskline.keyset, in base64"


def test_the_commands_make_list_and_unwrap_it(vault: StubVault, capsys: pytest.CaptureFixture[str]) -> None:
    wrapped = "vault-transit://transit/maskline?keyset=vault-kv://secret/logins"

    exit_codes = [
        main(["keys", "create", f"--keyset={wrapped}"]),
        main(["keys", "list", f"--keyset={wrapped}", "--json"]),
        main(["keys", "unwrap", f"--keyset={wrapped}", "--target=vault-kv://secret/clear"]),
    ]

    assert exit_codes == [0, 0, 0], capsys.readouterr().err
    assert load_keyset("vault-kv://secret/clear").key_ids == load_keyset(wrapped).key_ids


def test_another_purpose_does_not_decrypt(vault: StubVault) -> None:
    key = VaultTransitKey("//transit/maskline")
    sealed = key.encrypt(b"keyset", b"maskline.keyset")

    assert isinstance(key, aead.Aead)
    assert key.decrypt(sealed, b"maskline.keyset") == b"keyset"
    with pytest.raises(NotDecryptedError, match="was not encrypted by this key of Vault, or was damaged"):
        key.decrypt(sealed, b"another purpose")


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (403, KeysetError, "Vault refuses this token (Forbidden)"),
        (404, KeysetError, "is not there (InvalidPath)"),
        (400, KeysetError, "Vault does not take it (InvalidRequest)"),
        (500, KeysetUnavailableError, "Vault did not answer as it should (InternalServerError)"),
        (503, KeysetUnavailableError, "Vault did not answer as it should (VaultDown)"),
    ],
)
def test_what_vault_answers_is_told_without_its_own_text(
    vault: StubVault, status: int, kind: type[Exception], said: str
) -> None:
    vault.failure = status

    with pytest.raises(kind) as failed:
        VaultKvKeyset("//secret/logins").fetch()

    assert str(failed.value).startswith(f"keyset vault-kv://secret/logins: {said}")
    assert "own text" not in str(failed.value)


def test_where_nobody_listens_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{deaf.getsockname()[1]}")

        with pytest.raises(KeysetUnavailableError, match=r"Vault did not answer as it should \(ConnectionError\)"):
            VaultKvKeyset("//secret/logins").fetch()


def test_a_keyset_goes_over_no_network_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "http://vault.example.com:8200")

    with pytest.raises(KeysetError) as refused:
        VaultKvKeyset("//secret/logins").fetch()

    assert str(refused.value) == (
        "keyset: VAULT_ADDR begins with http:// and is not on this machine, so the network could read keys; give "
        "https://, or allow it: MASKLINE_ALLOW_PLAINTEXT_ENDPOINT=true"
    )


def test_a_vault_in_clear_is_asked_where_that_was_allowed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "http://vault.example.com:8200")
    monkeypatch.setenv("MASKLINE_ALLOW_PLAINTEXT_ENDPOINT", "true")

    assert open_vault().url == "http://vault.example.com:8200"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("vault-kv://secret", "keyset vault-kv: give vault-kv://MOUNT/PATH"),
        ("vault-transit://transit?keyset=file:k.json", "keyset vault-transit: give the key, MOUNT/KEY"),
        ("vault-transit://transit/key", "keyset vault-transit: give vault-transit://MOUNT/KEY?keyset=URI"),
    ],
)
def test_what_is_no_place_is_refused(uri: str, said: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{said.replace('?', '.')}"):
        keyset_provider(uri)
