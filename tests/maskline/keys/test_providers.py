"""A URI names where a keyset is kept and what opens it, and what is none is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.errors import KeysetError, UsageError
from maskline.keys import StoredKeyset, keyset_provider
from maskline.keys.environment import EnvironmentKeyset
from maskline.keys.files import FileKeyset
from maskline.keys.providers import KmsEncryptedKeyset
from maskline.keys.secrets_manager import SecretsManagerKeyset

KMS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:maskline/logins-AbCdEf"


def refusal_of(uri: str) -> str:
    """Return why a URI is refused."""
    with pytest.raises(UsageError) as refusal:
        keyset_provider(uri)
    return str(refusal.value)


def test_a_uri_names_its_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FileKeyset(tmp_path / "keyset.json").create(b"{the keyset}")
    monkeypatch.setenv("MASKLINE_TEST_KEYSET", "{from the environment}")

    from_file = keyset_provider(f"file:{tmp_path}/keyset.json")
    from_url = keyset_provider(f"file://{tmp_path}/keyset.json")
    from_environment = keyset_provider("env:MASKLINE_TEST_KEYSET")

    assert from_file.fetch() == from_url.fetch() == StoredKeyset(b"{the keyset}", f"file:{tmp_path}/keyset.json")
    assert from_environment.fetch() == StoredKeyset(b"{from the environment}", "env:MASKLINE_TEST_KEYSET")


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("file:/keyset.json", FileKeyset),
        ("env:KEYSET", EnvironmentKeyset),
        ("aws-secretsmanager://maskline/logins", SecretsManagerKeyset),
        (f"aws-secretsmanager://{SECRET}", SecretsManagerKeyset),
        (f"aws-kms://{KMS_KEY}?keyset=file:/keyset.json", KmsEncryptedKeyset),
        (f"aws-kms://{KMS_KEY}?keyset=env:KEYSET", KmsEncryptedKeyset),
        (f"aws-kms://{KMS_KEY}?keyset=s3://bucket/logins/keyset.json", KmsEncryptedKeyset),
        (f"aws-kms://{KMS_KEY}?keyset=aws-secretsmanager://{SECRET}", KmsEncryptedKeyset),
    ],
)
def test_a_provider_knows_its_uri_and_what_opens_its_keyset(uri: str, kind: type) -> None:
    provider = keyset_provider(uri)

    assert isinstance(provider, kind)
    assert provider.uri == uri
    assert provider.kms_key == (KMS_KEY if kind is KmsEncryptedKeyset else None)


def test_others_may_read_a_file_only_where_a_kms_key_encrypts_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "keyset.json"
    path.write_bytes(b"{the keyset}")
    path.chmod(0o644)

    encrypted = keyset_provider(f"aws-kms://{KMS_KEY}?keyset=file:{path}").fetch()
    with pytest.raises(KeysetError) as refusal:
        keyset_provider(f"file:{path}").fetch()

    assert encrypted.content == b"{the keyset}"
    assert str(refusal.value) == f"keyset file:{path}: others can read it (mode 0644); run: chmod 600 {path}"


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    provider = keyset_provider("file:~/keyset.json")

    assert provider.uri == f"file:{tmp_path}/keyset.json"


def test_the_home_of_nobody_is_refused() -> None:
    why = refusal_of("file:~no-such-user/keyset.json")

    assert why == "keyset file:~no-such-user/keyset.json: there is no such user; give the path of the file"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("vault:secret/keyset", "keyset vault: "),
        ("FILE:keyset.json", "keyset FILE: "),
        ("file:", "keyset file: "),
        ("file://", "keyset file: "),
        ("aws-kms://", "keyset aws-kms: "),
        ("aws-secretsmanager:", "keyset aws-secretsmanager: "),
        ("s3:", "keyset s3: "),
        ("keyset.json", "keyset: "),
        ("", "keyset: "),
        (":x", "keyset: "),
        ('{"primaryKeyId": 7, "key": "EkAAAQID"}', "keyset: "),
        ("EkAAAQID", "keyset: "),
        (f"aws-kms://{KMS_KEY}?keyset=", "keyset: "),
        (f'aws-kms://{KMS_KEY}?keyset={{"primaryKeyId": 7, "key": "EkAAAQID"}}', "keyset: "),
        (f"aws-kms://{KMS_KEY}?keyset=vault:x", "keyset vault: "),
    ],
)
def test_another_uri_is_refused_and_not_shown_for_it_may_be_the_keyset_itself(uri: str, shown: str) -> None:
    assert refusal_of(uri) == (
        f"{shown}give a URI that begins with one of file:, env:, aws-secretsmanager:, azure-keyvault-secret:, "
        "gcp-secretmanager:, vault-kv:, aws-kms:, azure-keyvault-key:, gcp-kms:, vault-transit:; for example "
        "file:keyset.json"
    )


def test_a_keyset_in_clear_is_not_kept_in_s3() -> None:
    assert refusal_of("s3://bucket/keyset.json") == (
        "keyset s3: what is kept in S3 is encrypted by a KMS key; give aws-kms://KEY_ARN?keyset=s3://BUCKET/KEY"
    )


@pytest.mark.parametrize("location", ["s3://bucket", "s3://bucket/", "s3:///keyset.json"])
def test_a_place_in_s3_is_a_bucket_and_a_key(location: str) -> None:
    assert refusal_of(f"aws-kms://{KMS_KEY}?keyset={location}") == "keyset s3: give s3://BUCKET/KEY"


def test_a_kms_key_alone_is_no_place() -> None:
    assert refusal_of(f"aws-kms://{KMS_KEY}") == (
        "keyset aws-kms: give aws-kms://KEY_ARN?keyset=URI, where URI says where the keyset is kept"
    )


def test_a_keyset_is_encrypted_once() -> None:
    assert refusal_of(f"aws-kms://{KMS_KEY}?keyset=aws-kms://{KMS_KEY}?keyset=file:keyset.json") == (
        "keyset aws-kms: a keyset is encrypted once; after ?keyset= comes the URI of a place"
    )


@pytest.mark.parametrize(
    "key",
    [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/maskline",
        "arn:aws:kms:eu-central-1:123456789012:key/",
        "arn:aws:kms:eu-central-1:12345:key/1234abcd",
        "arn:aws:s3:::bucket",
        "arn:azure:kms:cn-north-1:123456789012:key/1234abcd",
        f"{KMS_KEY}\n",
        "",
    ],
)
def test_what_is_no_arn_of_a_kms_key_is_refused(key: str) -> None:
    assert refusal_of(f"aws-kms://{key}?keyset=file:keyset.json") == (
        "keyset aws-kms: give the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, after aws-kms://"
    )


def test_an_encrypted_keyset_is_handed_on_as_it_is_with_the_name_of_what_opens_it(tmp_path: Path) -> None:
    place = FileKeyset(tmp_path / "keyset.json")
    place.create(b"{encrypted}")

    stored = KmsEncryptedKeyset(KMS_KEY, place).fetch()

    assert stored == StoredKeyset(b"{encrypted}", f"aws-kms://{KMS_KEY}?keyset=file:{tmp_path}/keyset.json", KMS_KEY)


def test_an_encrypted_keyset_is_stored_and_replaced_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "keyset.json"
    provider = KmsEncryptedKeyset(KMS_KEY, FileKeyset(path))

    provider.create(b"{encrypted}")
    previous = provider.replace(b"{encrypted}", b"{encrypted anew}")

    assert path.read_bytes() == b"{encrypted anew}"
    assert previous == f"{tmp_path}/keyset.json.previous"
    assert Path(previous).read_bytes() == b"{encrypted}"
