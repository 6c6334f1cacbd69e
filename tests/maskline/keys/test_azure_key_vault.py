"""Keysets in secrets of Azure Key Vault, and encrypted by one of its keys, bound to their purpose."""

from __future__ import annotations

import base64
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

pytest.importorskip("azure.keyvault.keys", reason="the extra azure is not installed")

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from cryptography.hazmat.primitives.asymmetric import rsa
from tink import aead

from maskline.errors import ArgumentError, KeysetError, KeysetUnavailableError
from maskline.keys import keyset_provider, load_keyset
from maskline.keys.azure_key_vault import clients
from maskline.keys.azure_key_vault.keys import AzureKeyVaultKey
from maskline.keys.azure_key_vault.secrets import AzureSecretKeyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.keyset_store import change_keyset, store_keyset
from maskline.keys.kms import NotDecryptedError
from maskline.pipeline.cli import main
from tests.maskline.keys.stub_azure import StubAzure
from tests.maskline.keysets import KEY, aes_siv_key, siv, stored

pytestmark = pytest.mark.heavy

IN_CLEAR = stored(aes_siv_key(7), primary=7)
NEW, NEWER = b'{"new": "keyset"}', b'{"newer": "keyset"}'
PURPOSE = b"maskline.keyset"


class Credential:
    """Who has a token, and asks nobody for it."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(StubAzure.TOKEN, 2**40)

    def get_token_info(self, *_: str, **__: Any) -> AccessTokenInfo:
        return AccessTokenInfo(StubAzure.TOKEN, 2**40)


@pytest.fixture(scope="module")
def rsa_keys() -> list[rsa.RSAPrivateKey]:
    """Two keys of the kind that Key Vault makes."""
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who vouches for the vault."""
    return trustme.CA()


@pytest.fixture
def vault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, rsa_keys: list[rsa.RSAPrivateKey]
) -> Iterator[StubAzure]:
    """A vault with a key, whose authority is known, and clients that have a token."""
    authorities = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(authorities))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities))
    monkeypatch.setattr(clients, "DefaultAzureCredential", lambda **_: Credential())
    with StubAzure(authority) as service:
        service.add_key("maskline", rsa_keys[0])
        yield service


@pytest.fixture
def place(vault: StubAzure) -> AzureSecretKeyset:
    """A secret that is not there yet."""
    return AzureSecretKeyset(f"//{vault.host}/logins")


@pytest.fixture
def key(vault: StubAzure) -> AzureKeyVaultKey:
    """The key."""
    return AzureKeyVaultKey(f"//{vault.host}/maskline")


def test_a_key_encrypts_a_keyset_through_a_whole_rotation(vault: StubAzure) -> None:
    uri = f"azure-keyvault-key://{vault.host}/maskline?keyset=azure-keyvault-secret://{vault.host}/logins"
    provider = keyset_provider(uri)
    store_keyset(keyset_handle(IN_CLEAR), provider)
    first, _ = vault.secrets["logins"][0]

    new_id, previous = change_keyset(provider, KeysetEditor.add)
    keyset = load_keyset(uri)

    assert provider.uri == uri
    assert previous == f"the secret's version {first}"
    assert keyset.encrypt(b"clear", b"domain") == b"\x01\x00\x00\x00\x07" + siv(KEY, b"clear", b"domain")
    assert keyset.key_ids == {7, new_id}
    assert base64.b64encode(KEY).decode()[:24] not in str(vault.secrets)


def test_the_commands_make_change_and_unwrap_it(
    vault: StubAzure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrapped = f"azure-keyvault-key://{vault.host}/maskline?keyset=file:{tmp_path}/wrapped.json"
    in_clear = f"azure-keyvault-secret://{vault.host}/clear"

    exit_codes = [
        main(["keys", "create", f"--keyset={wrapped}"]),
        main(["keys", "add", f"--keyset={wrapped}"]),
        main(["keys", "unwrap", f"--keyset={wrapped}", f"--target={in_clear}"]),
        main(["keys", "create", f"--keyset={in_clear}"]),
    ]

    assert exit_codes == [0, 0, 0, 2]
    assert "exists already and is not overwritten" in capsys.readouterr().err
    assert load_keyset(in_clear).key_ids == load_keyset(wrapped).key_ids


def test_another_purpose_does_not_decrypt_though_the_rsa_key_unwraps(key: AzureKeyVaultKey) -> None:
    sealed = key.encrypt(b"keyset", PURPOSE)

    assert isinstance(key, aead.Aead)
    assert key.decrypt(sealed, PURPOSE) == b"keyset"
    with pytest.raises(NotDecryptedError, match="was not encrypted by this key of Azure Key Vault, or was damaged"):
        key.decrypt(sealed, b"another purpose")


@pytest.mark.parametrize("place", [0, 4, 36, 37, 300, -1])
def test_a_changed_byte_anywhere_is_noticed(key: AzureKeyVaultKey, place: int) -> None:
    sealed = bytearray(key.encrypt(b"keyset", PURPOSE))
    sealed[place] ^= 1

    with pytest.raises((NotDecryptedError, KeysetError)):
        key.decrypt(bytes(sealed), PURPOSE)


def test_what_stands_in_a_keyset_leads_to_no_other_path(vault: StubAzure, key: AzureKeyVaultKey) -> None:
    sealed = key.encrypt(b"keyset", PURPOSE)
    forged = sealed[:4] + b"../" + sealed[7:]
    vault.requests.clear()

    with pytest.raises(NotDecryptedError):
        key.decrypt(forged, PURPOSE)

    assert vault.requests == []


def test_a_keyset_opens_after_the_rsa_key_was_rotated(
    vault: StubAzure, key: AzureKeyVaultKey, rsa_keys: list[rsa.RSAPrivateKey]
) -> None:
    older = key.encrypt(b"keyset", PURPOSE)

    second = vault.add_key("maskline", rsa_keys[1])
    newer = key.encrypt(b"keyset", PURPOSE)

    assert [key.decrypt(sealed, PURPOSE) for sealed in (older, newer)] == [b"keyset", b"keyset"]
    assert newer[4:37] == second.version.encode() + b"."


def test_a_version_that_is_named_is_the_only_one(
    vault: StubAzure, key: AzureKeyVaultKey, rsa_keys: list[rsa.RSAPrivateKey]
) -> None:
    first = vault.keys["maskline"][0].version
    older, _ = key.encrypt(b"keyset", PURPOSE), vault.add_key("maskline", rsa_keys[1])
    newer = key.encrypt(b"keyset", PURPOSE)
    pinned = AzureKeyVaultKey(f"//{vault.host}/maskline/{first}")

    assert pinned.decrypt(older, PURPOSE) == b"keyset"
    assert pinned.encrypt(b"keyset", PURPOSE)[4:37] == first.encode() + b"."
    with pytest.raises(NotDecryptedError):
        pinned.decrypt(newer, PURPOSE)


def test_who_may_unwrap_alone_can_read(vault: StubAzure, key: AzureKeyVaultKey) -> None:
    sealed = key.encrypt(b"keyset", PURPOSE)
    vault.denied = {"get", "wrapkey"}

    assert AzureKeyVaultKey(f"//{vault.host}/maskline").decrypt(sealed, PURPOSE) == b"keyset"
    with pytest.raises(KeysetError, match=r"refuses these credentials \(ForbiddenByRbac\)"):
        AzureKeyVaultKey(f"//{vault.host}/maskline").encrypt(b"keyset", PURPOSE)


def test_who_may_wrap_and_not_get_the_key_is_told_what_it_takes(vault: StubAzure) -> None:
    vault.denied = {"get"}

    with pytest.raises(
        KeysetError,
        match=r"refuses these credentials \(ForbiddenByRbac\); it takes unwrapKey on the key to read it, and get",
    ):
        AzureKeyVaultKey(f"//{vault.host}/maskline").encrypt(b"keyset", PURPOSE)


@pytest.mark.parametrize("state", ["KeyDisabled", "KeyExpired"])
def test_a_key_that_is_not_enabled_is_named(vault: StubAzure, key: AzureKeyVaultKey, state: str) -> None:
    sealed = key.encrypt(b"keyset", PURPOSE)
    vault.keys["maskline"][0].state = state

    with pytest.raises(KeysetError, match=rf"it is not enabled, or not valid now \({state}\)") as failed:
        key.decrypt(sealed, PURPOSE)

    assert not isinstance(failed.value, NotDecryptedError)


def test_a_key_that_is_not_there_is_named(vault: StubAzure, key: AzureKeyVaultKey) -> None:
    sealed = key.encrypt(b"keyset", PURPOSE)
    del vault.keys["maskline"]

    with pytest.raises(KeysetError, match=r"is not there \(KeyNotFound\)"):
        key.decrypt(sealed, PURPOSE)


def test_a_keyset_is_kept_read_and_replaced_and_never_over_anothers_change(
    vault: StubAzure, place: AzureSecretKeyset
) -> None:
    place.create(NEW)

    with pytest.raises(KeysetError, match="exists already and is not overwritten"):
        place.create(NEWER)
    kept = place.replace(NEW, NEWER)
    with pytest.raises(KeysetError, match="somebody else changed it meanwhile"):
        place.replace(NEW, b"{}")

    assert place.fetch().content == NEWER
    assert kept == f"the secret's version {vault.secrets['logins'][0][0]}"
    assert [value for _, value in vault.secrets["logins"]] == [NEW.decode(), NEWER.decode()]


@pytest.mark.parametrize("step", ["get_secret", "set_secret"])
def test_a_change_in_the_same_moment_is_told_with_both_versions(
    vault: StubAzure, place: AzureSecretKeyset, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    place.create(NEW)
    client = place._client()
    do = getattr(client, step)

    def be_overtaken(*arguments: Any, **options: Any) -> Any:
        vault.secrets["logins"].append(("0" * 32, "another's" if step == "set_secret" else NEW.decode()))
        return do(*arguments, **options)

    monkeypatch.setattr(client, step, be_overtaken)

    with pytest.raises(KeysetError, match="somebody else changed it") as told:
        place.replace(NEW, NEWER)

    if step == "set_secret":
        assert f"beside version {vault.secrets['logins'][-1][0]} of here there is {'0' * 32}" in str(told.value)
    else:
        assert NEWER.decode() not in str(vault.secrets)


def test_a_secret_that_is_not_there_is_named(place: AzureSecretKeyset) -> None:
    with pytest.raises(KeysetError, match=r"is not there \(SecretNotFound\)"):
        place.fetch()


@pytest.mark.parametrize(
    ("status", "inner_code", "kind", "said"),
    [
        (403, "ForbiddenByRbac", KeysetError, "Azure Key Vault refuses these credentials (ForbiddenByRbac); it takes"),
        (403, "ForbiddenByFirewall", KeysetError, "the vault's firewall does not let this machine in"),
        (403, "SecretDisabled", KeysetError, "it is not enabled, or not valid now (SecretDisabled)"),
        (409, "ObjectIsDeletedButRecoverable", KeysetError, "was deleted and can still be recovered"),
        (400, "", KeysetError, "Azure Key Vault does not take it (Forbidden)"),
        (500, "", KeysetUnavailableError, "Azure Key Vault did not answer as it should (Forbidden); try again"),
    ],
)
def test_what_azure_answers_is_told_without_its_own_text(
    vault: StubAzure,
    place: AzureSecretKeyset,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    inner_code: str,
    kind: type[Exception],
    said: str,
) -> None:
    monkeypatch.setitem(clients.LIMITS, "retry_backoff_factor", 0)
    place.create(NEW)
    vault.failure, vault.inner_code = status, inner_code

    with pytest.raises(kind) as failed:
        place.fetch()

    assert str(failed.value).startswith(f"keyset azure-keyvault-secret://{vault.host}/logins: {said}")
    assert "own text" not in str(failed.value)


def test_a_vault_that_takes_requests_and_never_answers_is_given_up(
    vault: StubAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(clients.LIMITS, "read_timeout", 0.2)
    monkeypatch.setitem(clients.LIMITS, "retry_total", 0)
    vault.is_silent = True

    with pytest.raises(KeysetUnavailableError, match=r"Azure Key Vault did not answer as it should \(\w+\); try again"):
        AzureSecretKeyset(f"//{vault.host}/logins").fetch()


@pytest.mark.usefixtures("vault")
def test_where_nobody_listens_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clients.LIMITS, "retry_total", 0)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))

        with pytest.raises(KeysetUnavailableError, match=r"did not answer as it should \(ServiceRequestError\)"):
            AzureSecretKeyset(f"//127.0.0.1:{deaf.getsockname()[1]}/logins").fetch()


def test_credentials_that_are_missing_are_said_to_be(vault: StubAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import DefaultAzureCredential

    monkeypatch.setattr(clients, "DefaultAzureCredential", DefaultAzureCredential)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # or it asks the machine, for seconds
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(KeysetError, match=r"no Azure credentials that work .* set AZURE_TENANT_ID"):
        AzureSecretKeyset(f"//{vault.host}/logins").fetch()


def test_a_host_that_is_no_vault_of_azures_gets_no_token(
    vault: StubAzure, place: AzureSecretKeyset, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge = 'Bearer authorization="https://login.example.com/tenant", resource="https://vault.azure.net"'
    monkeypatch.setattr(vault, "headers", lambda status: {"WWW-Authenticate": challenge} if status == 401 else {})

    with pytest.raises(KeysetError, match="the host is no vault of Azure's"):
        place.fetch()

    assert not any("authorization" in request.headers for request in vault.requests)


def test_a_vault_whose_authority_is_not_known_is_told_nothing(
    vault: StubAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setitem(clients.LIMITS, "retry_total", 0)

    with pytest.raises(KeysetUnavailableError, match="did not answer as it should"):
        AzureSecretKeyset(f"//{vault.host}/logins").fetch()

    assert vault.requests == []


def test_no_log_has_a_key_or_a_token(vault: StubAzure, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    uri = f"azure-keyvault-key://{vault.host}/maskline?keyset=azure-keyvault-secret://{vault.host}/logins"

    store_keyset(keyset_handle(IN_CLEAR), keyset_provider(uri))
    load_keyset(uri)

    assert StubAzure.TOKEN not in caplog.text
    assert base64.b64encode(KEY).decode()[:24] not in caplog.text
    assert "Request URL" not in caplog.text, "a job reads its keyset every five seconds"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("azure-keyvault-key://logins?keyset=file:k.json", "keyset azure-keyvault-key: give the vault's host and"),
        ("azure-keyvault-key://v.vault.azure.net/k/x?keyset=file:k.json", "keyset azure-keyvault-key: give the"),
        ("azure-keyvault-key://v.vault.azure.net/k", "keyset azure-keyvault-key: give azure-keyvault-key://HOST/KEY"),
        ("azure-keyvault-secret://v.vault.azure.net", "keyset azure-keyvault-secret: give the vault's host and the"),
        ("azure-keyvault-secret://v.vault.azure.net/a/b", "keyset azure-keyvault-secret: give the vault's host and"),
    ],
)
def test_what_is_no_place_is_refused(uri: str, said: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        keyset_provider(uri)

    assert str(refused.value).startswith(said)


def test_a_client_is_one_of_azures_own() -> None:
    assert isinstance(clients.open_keys("https://v.vault.azure.net"), KeyClient)
    assert isinstance(clients.open_secrets("https://v.vault.azure.net"), SecretClient)
