"""Keysets in Google Secret Manager, and encrypted by a key of Cloud KMS, bound to their purpose."""

from __future__ import annotations

import base64
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("google_crc32c", reason="the extra google is not installed")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tink import aead

from maskline.errors import ArgumentError, KeysetError, KeysetUnavailableError
from maskline.keys import keyset_provider, load_keyset
from maskline.keys.google_cloud import api
from maskline.keys.google_cloud.kms import GoogleKmsKey
from maskline.keys.google_cloud.secret_manager import GoogleSecretKeyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.keyset_store import change_keyset, export_writer, store_keyset
from maskline.keys.kms import NotDecryptedError
from maskline.pipeline.cli import main
from tests.maskline.keys.stub_google import StubGoogle
from tests.maskline.keysets import KEY, aes_siv_key, siv, stored

pytestmark = pytest.mark.heavy

IN_CLEAR = stored(aes_siv_key(7), primary=7)
NEW, NEWER = b'{"new": "keyset"}', b'{"newer": "keyset"}'
KEY_NAME = "projects/shop/locations/europe-west3/keyRings/logins/cryptoKeys/maskline"
SECRET = "projects/shop/secrets/logins"
PURPOSE = b"maskline.keyset"


@pytest.fixture(scope="module")
def private_key() -> str:
    """The key of a service account."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, private_key: str) -> Iterator[StubGoogle]:
    """Google Cloud, and in the environment the way there and a service account."""
    with StubGoogle() as service:
        account = tmp_path / "account.json"
        account.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "client_email": "job@shop.iam.gserviceaccount.com",
                    "private_key": private_key,
                    "token_uri": f"http://{service.host}/token",
                    "project_id": "shop",
                }
            )
        )
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        for name in ("CLOUDKMS", "SECRETMANAGER"):
            monkeypatch.setenv(f"{api.ENDPOINT_VARIABLE}{name}", f"http://{service.host}/")
        yield service


def test_a_kms_key_encrypts_a_keyset_through_a_whole_rotation(google: StubGoogle) -> None:
    uri = f"gcp-kms://{KEY_NAME}?keyset=gcp-secretmanager://{SECRET}"
    provider = keyset_provider(uri)
    store_keyset(keyset_handle(IN_CLEAR), provider)

    new_id, previous = change_keyset(provider, KeysetEditor.add)
    keyset = load_keyset(uri)

    assert provider.uri == uri
    assert previous == "the secret's version 1"
    assert keyset.encrypt(b"clear", b"domain") == b"\x01\x00\x00\x00\x07" + siv(KEY, b"clear", b"domain")
    assert keyset.key_ids == {7, new_id}
    assert base64.b64encode(KEY)[:24] not in b"".join(google.secrets[SECRET]["versions"])
    sent = {
        (request.fields["additionalAuthenticatedData"], request.fields["additionalAuthenticatedDataCrc32c"])
        for request in google.requests
        if "/cryptoKeys/" in request.path
    }
    assert sent == {("bWFza2xpbmUua2V5c2V0", "3122250745")}, "maskline.keyset, in base64, and its CRC32C"


def test_the_commands_make_wrap_change_and_export_it(
    google: StubGoogle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrapped = f"gcp-kms://{KEY_NAME}?keyset=gcp-secretmanager://{SECRET}"
    writer = f"gcp-kms://{KEY_NAME}?keyset=file:{tmp_path}/writer.json"

    exit_codes = [
        main(["keys", "create", f"--keyset={wrapped}"]),
        main(["keys", "add", f"--keyset={wrapped}"]),
        main(["keys", "export-writer", f"--keyset={wrapped}", f"--target={writer}"]),
        main(["keys", "unwrap", f"--keyset={wrapped}", f"--target=gcp-secretmanager://{SECRET}-clear"]),
        main(["keys", "create", f"--keyset={wrapped}"]),
    ]

    assert exit_codes == [0, 0, 0, 0, 2]
    assert "exists already and is not overwritten" in capsys.readouterr().err
    everything, job = load_keyset(f"gcp-secretmanager://{SECRET}-clear"), load_keyset(writer)
    assert len(everything.key_ids) == 2
    assert job.key_ids == {everything.primary_key_id}
    assert job.decrypt(everything.encrypt(b"clear", b"domain"), b"domain") == b"clear"


def test_another_purpose_does_not_decrypt(google: StubGoogle) -> None:
    key = GoogleKmsKey(f"//{KEY_NAME}")
    sealed = key.encrypt(b"keyset", PURPOSE)

    assert isinstance(key, aead.Aead)
    assert key.decrypt(sealed, PURPOSE) == b"keyset"
    with pytest.raises(NotDecryptedError, match=r"was not encrypted by this KMS key, or was damaged"):
        key.decrypt(sealed, b"another purpose")


def test_a_keyset_of_another_purpose_is_refused_where_it_is_opened(google: StubGoogle, tmp_path: Path) -> None:
    file = tmp_path / "wrapped.json"
    uri = f"gcp-kms://{KEY_NAME}?keyset=file:{file}"
    sealed = GoogleKmsKey(f"//{KEY_NAME}").encrypt(b"the keyset of a payment system", b"payments")
    file.write_text(json.dumps({"encryptedKeyset": base64.b64encode(sealed).decode()}))

    with pytest.raises(NotDecryptedError, match="was not encrypted by this KMS key"):
        load_keyset(uri)


@pytest.mark.parametrize("state", ["DISABLED", "DESTROYED"])
def test_a_key_that_is_not_enabled_is_named(google: StubGoogle, state: str) -> None:
    key = GoogleKmsKey(f"//{KEY_NAME}")
    sealed = key.encrypt(b"keyset", PURPOSE)
    google.states[KEY_NAME] = state

    with pytest.raises(KeysetError, match=r"its version is disabled or destroyed \(FAILED_PRECONDITION\)") as failed:
        key.decrypt(sealed, PURPOSE)

    assert not isinstance(failed.value, NotDecryptedError)


def test_a_key_that_is_not_there_is_named(google: StubGoogle) -> None:
    with pytest.raises(KeysetError, match=r"there is no such KMS key for encryption.*\(NOT_FOUND\)"):
        GoogleKmsKey(f"//{KEY_NAME.replace('maskline', 'none')}").encrypt(b"keyset", PURPOSE)


def test_bytes_that_change_on_their_way_back_are_not_taken(google: StubGoogle) -> None:
    key = GoogleKmsKey(f"//{KEY_NAME}")
    sealed = key.encrypt(b"keyset", PURPOSE)
    place = GoogleSecretKeyset(f"//{SECRET}")
    place.create(NEW)
    google.is_damaging = True

    for read in (lambda: key.decrypt(sealed, PURPOSE), lambda: key.encrypt(b"keyset", PURPOSE), place.fetch):
        with pytest.raises(KeysetUnavailableError, match="its CRC32C does not fit, so it was damaged on its way"):
            read()


def test_bytes_that_nobody_checked_on_their_way_there_are_not_taken_for_encrypted(google: StubGoogle) -> None:
    google.is_checking = False

    with pytest.raises(KeysetUnavailableError, match="it did not check the CRC32C of what it was sent"):
        GoogleKmsKey(f"//{KEY_NAME}").encrypt(b"keyset", PURPOSE)


def test_bytes_that_change_on_their_way_there_are_refused_by_google(
    google: StubGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.keys.google_cloud.kms.encoded", lambda _: base64.b64encode(b"damaged").decode())

    with pytest.raises(KeysetError, match="KMS does not take it"):
        GoogleKmsKey(f"//{KEY_NAME}").encrypt(b"keyset", PURPOSE)


def test_the_checksum_is_the_one_of_rfc_3720() -> None:
    assert api.checksum_of(b"123456789") == "3808858755"


@pytest.mark.parametrize("secret", [SECRET, "projects/shop/locations/europe-west3/secrets/logins"])
def test_a_keyset_is_kept_read_and_replaced_and_never_over_anothers_change(google: StubGoogle, secret: str) -> None:
    place = GoogleSecretKeyset(f"//{secret}")
    place.create(NEW)

    with pytest.raises(KeysetError, match="exists already and is not overwritten"):
        place.create(NEWER)
    kept = place.replace(NEW, NEWER)
    with pytest.raises(KeysetError, match="somebody else changed it meanwhile"):
        place.replace(NEW, b"{}")

    assert place.fetch().content == NEWER
    assert kept == "the secret's version 1"
    assert google.secrets[secret]["versions"] == [NEW, NEWER]


def test_a_change_between_reading_and_writing_is_noticed_and_is_what_counts(
    google: StubGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, other = GoogleSecretKeyset(f"//{SECRET}"), GoogleSecretKeyset(f"//{SECRET}")
    place.create(NEW)
    read = place._read

    def read_and_be_overtaken() -> tuple[bytes, str]:
        found = read()
        other.replace(NEW, b"another's")
        return found

    monkeypatch.setattr(place, "_read", read_and_be_overtaken)

    with pytest.raises(KeysetError, match=r"somebody else changed it meanwhile.* \(version 3 was not taken\)"):
        place.replace(NEW, NEWER)

    assert other.fetch().content == b"another's"


def test_a_secret_that_somebody_made_without_a_version_gets_its_first_one(google: StubGoogle) -> None:
    google.add_secret(SECRET)

    GoogleSecretKeyset(f"//{SECRET}").create(NEW)

    assert google.secrets[SECRET] == {"etag": '"2"', "aliases": {"maskline": "1"}, "versions": [NEW]}


def test_a_keyset_that_was_put_there_by_hand_is_read_and_changed(google: StubGoogle) -> None:
    google.add_secret(SECRET, b"older", NEW)
    google.secrets[SECRET]["aliases"] = {"billing": "1"}
    place = GoogleSecretKeyset(f"//{SECRET}")

    read = place.fetch().content
    kept = place.replace(NEW, NEWER)

    assert (read, kept) == (NEW, "the secret's version 2")
    assert place.fetch().content == NEWER
    assert google.secrets[SECRET]["aliases"] == {"billing": "1", "maskline": "3"}


def test_a_version_beside_one_that_was_put_there_by_hand_counts_only_once_it_is_known_to_follow(
    google: StubGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.add_secret(SECRET, NEW)
    place = GoogleSecretKeyset(f"//{SECRET}")
    add = place._add

    def add_and_be_overtaken(content: bytes) -> str:
        version = add(content)
        google.touch(SECRET)
        return version

    monkeypatch.setattr(place, "_add", add_and_be_overtaken)

    with pytest.raises(KeysetError, match="somebody else changed it meanwhile"):
        place.replace(NEW, NEWER)

    assert place.fetch().content == NEW


def test_a_secret_that_is_not_there_or_not_enabled_is_named(google: StubGoogle) -> None:
    place = GoogleSecretKeyset(f"//{SECRET}")

    with pytest.raises(KeysetError, match=r"is not there \(NOT_FOUND\)"):
        place.fetch()
    place.create(NEW)
    google.states[f"{SECRET}/versions/1"] = "DESTROYED"
    with pytest.raises(KeysetError, match=r"its version is disabled or destroyed \(FAILED_PRECONDITION\)"):
        place.fetch()


@pytest.mark.parametrize(
    ("status", "reasons", "kind", "said"),
    [
        (403, [], KeysetError, "Google Cloud refuses these credentials, or it is not there (PERMISSION_DENIED); it"),
        (403, ["SERVICE_DISABLED"], KeysetError, "its project does not use this service (SERVICE_DISABLED); run: "),
        (400, [], KeysetError, "Google Cloud does not take it (INVALID_ARGUMENT)"),
        (500, [], KeysetUnavailableError, "Google Cloud did not answer as it should (HTTP 500); try again"),
        (503, [], KeysetUnavailableError, "Google Cloud did not answer as it should (HTTP 503); try again"),
    ],
)
def test_what_google_answers_is_told_without_its_own_text(
    google: StubGoogle, status: int, reasons: list[str], kind: type[Exception], said: str
) -> None:
    place = GoogleSecretKeyset(f"//{SECRET}")
    place.create(NEW)
    google.failure, google.reasons = status, reasons

    with pytest.raises(kind) as failed:
        place.fetch()

    assert str(failed.value).startswith(f"keyset gcp-secretmanager://{SECRET}: {said}")
    assert "own text" not in str(failed.value)


def test_a_moments_failure_is_tried_again(google: StubGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    place = GoogleSecretKeyset(f"//{SECRET}")
    place.create(NEW)
    answer, failures = google.answer, iter([503, 429])
    monkeypatch.setattr(
        google,
        "answer",
        lambda request: (status, google.error(status)) if (status := next(failures, None)) else answer(request),
    )

    assert place.fetch().content == NEW


@pytest.mark.parametrize("whose", ["the service", "who gives out tokens"])
def test_who_takes_requests_and_never_answers_is_given_up(
    google: StubGoogle, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    monkeypatch.setattr(api, "READ_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(api, "MAX_RETRIES", 0)
    place = GoogleSecretKeyset(f"//{SECRET}")
    if whose == "the service":
        place.create(NEW)
    google.is_silent = True

    with pytest.raises(KeysetUnavailableError, match=r"Google Cloud did not answer as it should \(\w+\); try again"):
        place.fetch()


def test_where_nobody_listens_is_worth_another_try(google: StubGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_RETRIES", 0)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        monkeypatch.setenv(f"{api.ENDPOINT_VARIABLE}CLOUDKMS", f"http://127.0.0.1:{deaf.getsockname()[1]}")

        with pytest.raises(KeysetUnavailableError, match=r"did not answer as it should \(ConnectionError\)"):
            GoogleKmsKey(f"//{KEY_NAME}").encrypt(b"keyset", PURPOSE)


@pytest.mark.parametrize("account", ["none", "{}", '{"type": "service_account", "private_key": "s3cret"}'])
def test_credentials_that_are_missing_or_broken_are_said_to_be_and_not_shown(
    google: StubGoogle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: str
) -> None:
    file = tmp_path / "broken.json"
    if account != "none":
        file.write_text(account)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    with pytest.raises(KeysetError, match="no Google credentials") as failed:
        GoogleKmsKey(f"//{KEY_NAME}").encrypt(b"keyset", PURPOSE)

    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(failed.value)
    assert "s3cret" not in str(failed.value)


def test_nothing_goes_over_a_network_in_clear(google: StubGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{api.ENDPOINT_VARIABLE}CLOUDKMS", "http://kms.example.com")

    with pytest.raises(KeysetError) as refused:
        GoogleKmsKey(f"//{KEY_NAME}").encrypt(b"keyset", PURPOSE)

    assert str(refused.value) == (
        f"keyset gcp-kms://{KEY_NAME}: CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS is http:// and not on this machine, so "
        "the network could read what is sent; give https://, or allow it: MASKLINE_ALLOW_PLAINTEXT_ENDPOINT=true"
    )
    assert google.requests == []


def test_without_an_endpoint_of_its_own_each_service_is_googles(
    google: StubGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("CLOUDKMS", "SECRETMANAGER"):
        monkeypatch.delenv(f"{api.ENDPOINT_VARIABLE}{name}")

    def open_session() -> api.Session:
        session = api.open_session()
        monkeypatch.setattr(session, "request", lambda _, url, **__: asked.append(url))
        return session

    for part in (
        GoogleKmsKey(f"//{KEY_NAME}", open_session)._api,
        GoogleSecretKeyset(f"//{SECRET}", open_session)._api,
        GoogleSecretKeyset("//projects/shop/locations/europe-west3/secrets/logins", open_session)._api,
    ):
        with pytest.raises(AttributeError):
            part.call("GET", "name")

    assert asked == [
        "https://cloudkms.googleapis.com/v1/name",
        "https://secretmanager.googleapis.com/v1/name",
        "https://secretmanager.europe-west3.rep.googleapis.com/v1/name",
    ]


def test_no_log_has_a_key_or_a_token(google: StubGoogle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    uri = f"gcp-kms://{KEY_NAME}?keyset=gcp-secretmanager://{SECRET}"

    store_keyset(keyset_handle(IN_CLEAR), keyset_provider(uri))
    load_keyset(uri)

    assert StubGoogle.TOKEN not in caplog.text
    assert "assertion" not in caplog.text
    assert base64.b64encode(KEY).decode()[:24] not in caplog.text


def test_an_export_for_jobs_is_replaced_by_the_next_one(google: StubGoogle) -> None:
    target = keyset_provider(f"gcp-kms://{KEY_NAME}?keyset=gcp-secretmanager://{SECRET}")

    first = export_writer(keyset_handle(IN_CLEAR), target)
    second = export_writer(keyset_handle(IN_CLEAR), target)

    assert (first, second) == (None, "the secret's version 1")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("gcp-kms://projects/shop?keyset=file:k.json", "keyset gcp-kms: give the key's name, projects/P/locations/L/"),
        (f"gcp-kms://{KEY_NAME}/../x?keyset=file:k.json", "keyset gcp-kms: give the key's name"),
        (f"gcp-kms://{KEY_NAME}", "keyset gcp-kms: give gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K"),
        ("gcp-secretmanager://logins", "keyset gcp-secretmanager: give the secret's name, projects/P/secrets/S or"),
        (f"gcp-secretmanager://{SECRET}/versions/1", "keyset gcp-secretmanager: give the secret's name"),
    ],
)
def test_what_is_no_place_is_refused(uri: str, said: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        keyset_provider(uri)

    assert str(refused.value).startswith(said)
