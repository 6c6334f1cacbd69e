"""A keyset that a KMS key encrypts opens for whoever may use that key, and for nobody else."""

from __future__ import annotations

import base64
import functools
import json
import traceback
from collections.abc import Callable

import pytest
import tink
from botocore.exceptions import ClientError
from tink import json_proto_keyset_format
from tink.integration import awskms

from maskline.aws import OpenClient
from maskline.errors import KeysetError, KeysetUnavailableError, UsageError
from maskline.keys import StoredKeyset, open_keyset
from maskline.keys.keyset import keyset_handle, serialize_keyset
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.kms import aws_kms_key, map_kms_errors
from tests.aws_emulation import EmulatedAws
from tests.maskline.keysets import KEY, aes_siv_key, siv, stored

IN_CLEAR = stored(aes_siv_key(7), primary=7)
NOT_DECRYPTED = "was not encrypted by this KMS key, or was damaged"
ACCESS_DENIED = (
    "KMS refuses these credentials (403); reading it needs kms:Decrypt, and changing it kms:Encrypt, on the key"
)


@pytest.fixture
def kms_key(aws: EmulatedAws) -> str:
    """The ARN of a KMS key."""
    return aws.create_kms_key()


@pytest.fixture
def encrypted(kms_key: str) -> StoredKeyset:
    """A keyset that the KMS key encrypts."""
    return encrypted_by(kms_key)


def encrypted_by(kms_key: str) -> StoredKeyset:
    """Return the keyset of key 7 as a KMS key encrypts it."""
    content = serialize_keyset(keyset_handle(IN_CLEAR), aws_kms_key(kms_key), "test:kms")
    return StoredKeyset(content, "test:kms", kms_key)


def refusal_of(call: Callable[[], object]) -> str:
    """Return why a call is refused, once it is sure that the refusal holds no key."""
    with pytest.raises(KeysetError) as refusal:
        call()
    shown = "".join(traceback.format_exception(refusal.value))
    assert base64.b64encode(b"\x12\x40" + KEY).decode()[:24] not in shown
    return str(refusal.value)


def test_an_encrypted_keyset_opens_and_masks_as_in_clear(encrypted: StoredKeyset) -> None:
    keyset = open_keyset(encrypted)

    assert keyset.encrypt(b"clear", b"domain") == b"\x01\x00\x00\x00\x07" + siv(KEY, b"clear", b"domain")


def test_an_encrypted_keyset_shows_its_ids_and_not_its_keys(encrypted: StoredKeyset) -> None:
    shown = json.loads(encrypted.content)

    assert shown["keysetInfo"]["primaryKeyId"] == 7
    assert base64.b64encode(b"\x12\x40" + KEY)[:24] not in encrypted.content
    assert KEY not in base64.b64decode(shown["encryptedKeyset"])


def test_tink_alone_opens_what_we_encrypted(aws: EmulatedAws, encrypted: StoredKeyset, kms_key: str) -> None:
    client = aws.client("kms")
    decrypted = client.decrypt(
        KeyId=kms_key,
        CiphertextBlob=base64.b64decode(json.loads(encrypted.content)["encryptedKeyset"]),
        EncryptionContext={"associatedData": "6d61736b6c696e652e6b6579736574"},
    )

    tinks_own = awskms.new_client(boto3_client=client).get_aead(f"aws-kms://{kms_key}")
    handle = json_proto_keyset_format.parse_encrypted(encrypted.content.decode(), tinks_own, b"maskline.keyset")

    assert handle.keyset_info().primary_key_id == 7
    assert KEY in decrypted["Plaintext"]


def test_a_keyset_of_an_earlier_version_opens_with_a_warning_and_is_bound_by_the_next_change(
    kms_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    handle = keyset_handle(IN_CLEAR)
    content = json_proto_keyset_format.serialize_encrypted(handle, aws_kms_key(kms_key), b"").encode()

    old = open_keyset(StoredKeyset(content, "test:kms", kms_key))
    warned = caplog.messages
    caplog.clear()
    bound = open_keyset(StoredKeyset(serialize_keyset(handle, aws_kms_key(kms_key)), "test:kms", kms_key))

    assert (old.primary_key_id, bound.primary_key_id) == (7, 7)
    assert warned == [
        "keyset test:kms: was encrypted by an earlier version, bound to no purpose; the next change of it, or keys "
        "wrap, binds it"
    ]
    assert caplog.messages == []


def test_a_keyset_of_another_purpose_does_not_open(kms_key: str) -> None:
    encrypted = json_proto_keyset_format.serialize_encrypted(
        keyset_handle(IN_CLEAR), aws_kms_key(kms_key), b"another purpose"
    )

    why = refusal_of(lambda: open_keyset(StoredKeyset(encrypted.encode(), "test:kms", kms_key)))

    assert why.startswith(f"keyset test:kms: {NOT_DECRYPTED}")


@pytest.mark.parametrize(
    ("arn", "region"),
    [
        ("arn:aws-cn:kms:cn-north-1:111122223333:key/1", "cn-north-1"),
        ("arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/maskline", "us-gov-west-1"),
        ("arn:aws-iso-b:kms:us-isob-east-1:111122223333:key/1", "us-isob-east-1"),
    ],
)
def test_a_key_of_every_partition_of_aws_is_asked_in_its_region(arn: str, region: str) -> None:
    asked: list[tuple[str, str | None]] = []

    aws_kms_key(arn, open_client=lambda service, where: asked.append((service, where)))

    assert asked == [("kms", region)]


def test_an_alias_of_the_key_opens_it_too(aws: EmulatedAws, encrypted: StoredKeyset, kms_key: str) -> None:
    aws.client("kms").create_alias(AliasName="alias/maskline", TargetKeyId=kms_key)
    alias = kms_key.partition(":key/")[0] + ":alias/maskline"

    keyset = open_keyset(StoredKeyset(encrypted.content, "test:kms", alias))

    assert keyset.primary_key_id == 7


def test_the_key_s_arn_names_its_region(encrypted: StoredKeyset, no_region: None) -> None:
    assert open_keyset(encrypted).primary_key_id == 7


def test_another_kms_key_does_not_open_it(aws: EmulatedAws, encrypted: StoredKeyset) -> None:
    another = StoredKeyset(encrypted.content, "test:kms", aws.create_kms_key())

    why = refusal_of(lambda: open_keyset(another))

    # moto's answer; KMS's own is among those below.
    assert why == f"keyset test:kms: {ACCESS_DENIED.replace('403', 'AccessDeniedException')}"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("IncorrectKeyException", f"{NOT_DECRYPTED} (IncorrectKeyException)"),
        ("DisabledException", "there is no such KMS key, or it is not enabled (DisabledException)"),
        ("KMSInvalidStateException", "there is no such KMS key, or it is not enabled (KMSInvalidStateException)"),
    ],
)
def test_a_disabled_key_and_all_else_that_moto_does_not_refuse_get_their_line_too(code: str, said: str) -> None:
    answer = ClientError({"Error": {"Code": code, "Message": "secret"}}, "Decrypt")

    with pytest.raises(KeysetError) as refusal, map_kms_errors("test:kms"):
        raise tink.TinkError(answer)

    assert str(refusal.value) == f"keyset test:kms: {said}"


@pytest.mark.parametrize("code", ["ThrottlingException", "KMSInternalException", "KeyUnavailableException"])
def test_what_passes_is_worth_another_try(code: str) -> None:
    answer = ClientError({"Error": {"Code": code, "Message": "secret"}}, "Decrypt")

    with pytest.raises(KeysetUnavailableError) as failure, map_kms_errors("test:kms"):
        raise tink.TinkError(answer)

    assert str(failure.value) == f"keyset test:kms: KMS did not answer as it should ({code}); try again"


def test_an_error_of_tink_s_own_is_left_to_those_who_know_it() -> None:
    error = tink.TinkError("its own")

    with pytest.raises(tink.TinkError) as left, map_kms_errors("test:kms"):
        raise error

    assert left.value is error


@pytest.mark.parametrize("place", [40, 60, -1])
def test_a_damaged_keyset_does_not_open(encrypted: StoredKeyset, place: int) -> None:
    parts = json.loads(encrypted.content)
    ciphertext = bytearray(base64.b64decode(parts["encryptedKeyset"]))
    ciphertext[place] ^= 1
    parts["encryptedKeyset"] = base64.b64encode(ciphertext).decode()

    why = refusal_of(lambda: open_keyset(StoredKeyset(json.dumps(parts).encode(), "test:kms", encrypted.kms_key)))

    assert why == f"keyset test:kms: {NOT_DECRYPTED} (InvalidCiphertextException)"


def test_a_kms_key_that_is_not_there_is_said_not_to_be_there(aws: EmulatedAws, encrypted: StoredKeyset) -> None:
    absent = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

    why = refusal_of(lambda: open_keyset(StoredKeyset(encrypted.content, "test:kms", absent)))

    assert why == "keyset test:kms: there is no such KMS key, or it is not enabled (NotFoundException)"


def test_an_encrypted_keyset_without_its_kms_key_is_answered_with_the_uri_that_names_it(
    encrypted: StoredKeyset,
) -> None:
    why = refusal_of(lambda: open_keyset(StoredKeyset(encrypted.content, "file:keyset.json")))

    assert why == (
        "keyset file:keyset.json: is encrypted; give aws-kms://KEY_ARN?keyset=URI, which says what decrypts it"
    )


def test_a_keyset_in_clear_is_never_taken_for_an_encrypted_one(kms_key: str) -> None:
    why = refusal_of(lambda: open_keyset(StoredKeyset(IN_CLEAR.content, "test:kms", kms_key)))

    assert why == "keyset test:kms: is not encrypted"


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b"\xff", b'{"encryptedKeyset": 7}'])
def test_what_is_no_keyset_is_refused_and_not_quoted(kms_key: str, content: bytes) -> None:
    why = refusal_of(lambda: open_keyset(StoredKeyset(content, "test:kms", kms_key)))

    assert why == "keyset test:kms: is not a Tink keyset in JSON; is it the right file?"


def test_what_the_kms_key_encrypted_and_is_no_keyset_is_refused(aws: EmulatedAws, kms_key: str) -> None:
    ciphertext = aws.client("kms").encrypt(KeyId=kms_key, Plaintext=b"no keyset")["CiphertextBlob"]
    content = json.dumps({"encryptedKeyset": base64.b64encode(ciphertext).decode()}).encode()

    why = refusal_of(lambda: open_keyset(StoredKeyset(content, "test:kms", kms_key)))

    assert why == "keyset test:kms: is not a Tink keyset in JSON; is it the right file?"


def test_a_keyset_of_30_keys_is_encrypted_and_one_that_is_too_large_is_told_so(kms_key: str) -> None:
    editor = KeysetEditor(keyset_handle(IN_CLEAR))
    for _ in range(29):
        editor.add()

    content = serialize_keyset(editor.handle(), aws_kms_key(kms_key), "test:kms")
    for _ in range(10):
        editor.add()
    why = refusal_of(lambda: serialize_keyset(editor.handle(), aws_kms_key(kms_key), "test:kms"))

    assert len(open_keyset(StoredKeyset(content, "test:kms", kms_key)).key_ids) == 30
    assert why == (
        "keyset test:kms: KMS does not take it (ValidationException); it encrypts up to 4096 bytes, which is a keyset "
        "of some 30 keys"
    )


@pytest.mark.parametrize("allowed", [[], ["kms:Encrypt"], ["s3:*"]])
def test_who_may_not_decrypt_is_told_what_it_takes(
    aws: EmulatedAws, encrypted: StoredKeyset, monkeypatch: pytest.MonkeyPatch, allowed: list[str]
) -> None:
    _log_in(aws, monkeypatch, *allowed)

    with aws.enforcing_permissions():
        why = refusal_of(lambda: open_keyset(encrypted))

    assert why == f"keyset test:kms: {ACCESS_DENIED}"


def test_who_may_only_decrypt_reads_the_keyset_and_does_not_change_it(
    aws: EmulatedAws, encrypted: StoredKeyset, kms_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _log_in(aws, monkeypatch, "kms:Decrypt")

    with aws.enforcing_permissions():
        assert open_keyset(encrypted).primary_key_id == 7
        why = refusal_of(lambda: encrypted_by(kms_key))

    assert why == f"keyset test:kms: {ACCESS_DENIED}"


def test_missing_credentials_are_said_to_be_missing(encrypted: StoredKeyset, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("no_credentials")

    why = refusal_of(lambda: open_keyset(encrypted))

    assert why == (
        "keyset test:kms: no AWS credentials (Unable to locate credentials); set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them"
    )


def test_a_service_that_does_not_answer_is_worth_another_try(encrypted: StoredKeyset, no_service: OpenClient) -> None:
    with pytest.raises(KeysetUnavailableError) as failure:
        open_keyset(encrypted, functools.partial(aws_kms_key, open_client=no_service))

    assert str(failure.value) == (
        "keyset test:kms: KMS did not answer as it should (EndpointConnectionError); try again"
    )


def test_a_configuration_that_cannot_be_read_is_named_before_kms_is_asked(
    kms_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")

    why = refusal_of(lambda: aws_kms_key(kms_key))

    assert why == (
        f"keyset aws-kms://{kms_key}: no AWS credentials (The config profile (absent) could not be found); set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them"
    )


def test_what_is_no_arn_is_refused_before_kms_is_asked() -> None:
    with pytest.raises(UsageError, match="give the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID"):
        aws_kms_key("alias/maskline")


def _log_in(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, *actions: str) -> None:
    for name, value in aws.credentials_for(*actions).items():
        monkeypatch.setenv(name, value)
