"""A keyset opens only if it masks deterministically, and gives its key to nobody."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import traceback

import pytest
import tink
from apache_beam.internal import pickler
from tink import aead, json_proto_keyset_format, secret_key_access

from maskline.errors import KeysetError
from maskline.keys import Keyset, StoredKeyset, create_keyset, open_keyset
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, opened, raw_key, siv, stored

NOT_SOUND = "has no one enabled primary key, or a key that is not whole; was it edited by hand?"
KEY_IN_BASE64 = base64.b64encode(b"\x12\x40" + KEY)
KEY_7 = stored(aes_siv_key(7), primary=7)


def refusal_of(keyset: StoredKeyset) -> str:
    """Return why a keyset is refused."""
    with pytest.raises(KeysetError) as refusal:
        open_keyset(keyset)
    return str(refusal.value)


def aes_gcm_keyset() -> StoredKeyset:
    """Return a keyset of another kind of key, made by Tink."""
    aead.register()
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    return StoredKeyset(json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN).encode(), "file:gcm.json")


def test_a_new_keyset_has_one_enabled_key_of_64_bytes_whose_tokens_name_it() -> None:
    keyset = json.loads(create_keyset())

    assert keyset["primaryKeyId"] == keyset["key"][0]["keyId"]
    assert [key["keyData"]["typeUrl"] for key in keyset["key"]] == ["type.googleapis.com/google.crypto.tink.AesSivKey"]
    assert keyset["key"][0]["status"] == "ENABLED"
    assert keyset["key"][0]["outputPrefixType"] == "TINK"
    assert len(raw_key(StoredKeyset(json.dumps(keyset).encode(), "test:new"))) == 64


def test_two_new_keysets_have_different_keys() -> None:
    assert raw_key(StoredKeyset(create_keyset(), "test:a")) != raw_key(StoredKeyset(create_keyset(), "test:b"))


def test_an_opened_keyset_encrypts_and_decrypts_and_knows_its_keys() -> None:
    keyset = open_keyset(stored(aes_siv_key(7), aes_siv_key(4_294_967_295, OTHER_KEY), primary=4_294_967_295))

    ciphertext = keyset.encrypt(b"clear", b"domain")

    assert ciphertext[:5] == b"\x01\xff\xff\xff\xff"
    assert keyset.decrypt(ciphertext, b"domain") == b"clear"
    assert keyset.primary_key_id == 4_294_967_295
    assert keyset.key_ids == {7, 4_294_967_295}


def test_ciphertext_under_other_associated_data_is_refused() -> None:
    keyset = opened(7)

    ciphertext = keyset.encrypt(b"clear", b"domain")

    with pytest.raises(tink.TinkError):
        keyset.decrypt(ciphertext, b"another domain")


def test_after_a_rotation_the_new_key_encrypts_and_the_old_one_still_decrypts() -> None:
    before = opened(7)
    rotated = open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8))

    old = before.encrypt(b"clear", b"domain")
    new = rotated.encrypt(b"clear", b"domain")

    assert old[:5] == b"\x01\x00\x00\x00\x07"
    assert new[:5] == b"\x01\x00\x00\x00\x08"
    assert rotated.decrypt(old, b"domain") == b"clear"
    assert rotated.decrypt(new, b"domain") == b"clear"
    with pytest.raises(tink.TinkError):
        before.decrypt(new, b"domain")


def test_a_disabled_key_counts_as_none() -> None:
    disabled = aes_siv_key(8, OTHER_KEY, status="DISABLED")

    keyset = open_keyset(stored(aes_siv_key(7), disabled, primary=7))

    assert keyset.key_ids == {7}


def test_an_aes_gcm_keyset_is_refused_in_one_line_that_says_what_to_do() -> None:
    keyset = aes_gcm_keyset()
    key_id = json.loads(keyset.content)["primaryKeyId"]

    why = refusal_of(keyset)

    assert why == (f"keyset file:gcm.json: key {key_id} is a AesGcmKey; masking needs AES256_SIV keys")


@pytest.mark.parametrize("prefix", ["CRUNCHY", "LEGACY"])
def test_a_key_of_another_prefix_is_refused(prefix: str) -> None:
    keyset = stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY, prefix=prefix), primary=7)

    why = refusal_of(keyset)

    assert why == (
        "keyset test:known: key 8 has no prefix of type TINK, so its tokens would not name the key that made them"
    )


def test_a_raw_key_is_not_taken_for_the_primary_whose_tokens_must_name_it() -> None:
    why = refusal_of(stored(aes_siv_key(7, prefix="RAW"), aes_siv_key(8, OTHER_KEY), primary=7))

    assert why == (
        "keyset test:known: key 7 has no prefix of type TINK, so its tokens would not name the key that made them"
    )


def test_a_raw_key_beside_the_primary_reads_plain_aes_siv_and_is_not_counted_among_those_that_mask() -> None:
    keyset = open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY, prefix="RAW"), primary=7))

    assert keyset.decrypt(siv(OTHER_KEY, b"clear", b"domain"), b"domain") == b"clear"
    assert keyset.encrypt(b"clear", b"domain") == b"\x01\x00\x00\x00\x07" + siv(KEY, b"clear", b"domain")
    assert keyset.key_ids == {7}
    assert keyset.has_raw_keys


@pytest.mark.parametrize("status", ["DISABLED", "DESTROYED"])
def test_a_raw_key_that_is_not_enabled_counts_as_none(status: str) -> None:
    raw = aes_siv_key(8, OTHER_KEY, prefix="RAW", status=status)

    keyset = open_keyset(stored(aes_siv_key(7), raw, primary=7))

    assert not keyset.has_raw_keys
    with pytest.raises(tink.TinkError):
        keyset.decrypt(siv(OTHER_KEY, b"clear", b"domain"), b"domain")


def test_what_is_left_of_a_destroyed_key_does_not_matter() -> None:
    left = {"status": "DESTROYED", "keyId": 8, "outputPrefixType": "TINK"}

    keyset = open_keyset(stored(aes_siv_key(7), left, primary=7))

    assert keyset.key_ids == {7}


def test_a_key_id_that_is_there_twice_is_refused() -> None:
    why = refusal_of(stored(aes_siv_key(7), aes_siv_key(7, OTHER_KEY), primary=7))

    assert why == f"keyset test:known: {NOT_SOUND}"


def test_an_encrypted_keyset_that_came_without_its_kms_key_is_told_what_to_give() -> None:
    why = refusal_of(StoredKeyset(b'{"encryptedKeyset": "AAAA"}', "env:KEYSET"))

    assert why == "keyset env:KEYSET: is encrypted; give aws-kms://KEY_ARN?keyset=URI, which says what decrypts it"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"primaryKeyId": 7, "key": []}',
        b'{"primaryKeyId": ' + b"1" * 5_000 + b"}",
        KEY_7.content[:-2],
        KEY_7.content.replace(b"keyData", b"keyDate"),
        KEY_7.content.replace(KEY_IN_BASE64, KEY_IN_BASE64[:41]),
    ],
    ids=lambda content: content[:20].decode(errors="replace"),
)
def test_what_is_not_a_keyset_is_refused_in_one_line_that_quotes_nothing(content: bytes) -> None:
    why = refusal_of(StoredKeyset(content, "env:KEYSET"))

    assert why == "keyset env:KEYSET: is not a Tink keyset in JSON; is it the right file?"


@pytest.mark.parametrize(
    "content",
    [
        b'{"primaryKeyId": 7, "key": [{}]}',
        KEY_7.content.replace(b'"primaryKeyId": 7', b'"primaryKeyId": 8'),
        KEY_7.content.replace(b"ENABLED", b"DISABLED"),
    ],
    ids=["a key of nothing", "no primary", "a disabled primary"],
)
def test_a_keyset_that_is_not_sound_is_refused_in_one_line_that_quotes_nothing(content: bytes) -> None:
    why = refusal_of(StoredKeyset(content, "env:KEYSET"))

    assert why == f"keyset env:KEYSET: {NOT_SOUND}"


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    why = refusal_of(stored(aes_siv_key(7, bytes(length)), primary=7))

    assert why == "keyset test:known: one of its keys cannot be used; is it complete?"


def test_a_keyset_shows_ids_and_origin_and_no_key() -> None:
    assert repr(KEY_7) == str(KEY_7) == "StoredKeyset(test:known)"
    assert repr(open_keyset(KEY_7)) == str(open_keyset(KEY_7)) == "Keyset(primary key id 7, 1 keys)"


@pytest.mark.parametrize(
    "content",
    [
        KEY_7.content[:-2],
        KEY_7.content.replace(b"AesSivKey", b"AesGcmKey"),
        KEY_7.content.replace(b'"primaryKeyId": 7', b'"primaryKeyId": 8'),
        KEY_7.content.replace(KEY_IN_BASE64, KEY_IN_BASE64[:40]),
        KEY_7.content.replace(KEY_IN_BASE64, KEY_IN_BASE64[:41]),
        KEY_7.content + b"\xff",
    ],
    ids=["cut off", "another type", "another primary", "half a key", "not base64", "not UTF-8"],
)
def test_a_refusal_and_its_traceback_hold_no_part_of_the_key(content: bytes) -> None:
    assert KEY_IN_BASE64[:40] in content

    with pytest.raises(KeysetError) as refusal:
        open_keyset(StoredKeyset(content, "test:known"))

    shown = "".join(traceback.format_exception(refusal.value))
    for start in range(0, 40, 8):
        assert KEY_IN_BASE64[start : start + 8].decode() not in shown
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize(
    "take_out",
    [pickle.dumps, pickler.dumps, copy.copy, copy.deepcopy],
    ids=["pickle", "Beam's pickler", "copy", "deepcopy"],
)
def test_an_opened_keyset_refuses_to_leave_its_process(take_out: object) -> None:
    keyset: Keyset = opened(7)
    assert callable(take_out)

    with pytest.raises(TypeError, match="an opened keyset stays in this process; pass the StoredKeyset or its URI"):
        take_out(keyset)


def test_a_stored_keyset_travels_to_a_worker_as_it_is() -> None:
    assert pickle.loads(pickle.dumps(KEY_7)) == KEY_7
