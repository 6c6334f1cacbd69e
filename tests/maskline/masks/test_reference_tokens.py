"""Tokens are AES-SIV as RFC 5297 says, by the word of a second implementation, pycryptodome.

Sources: RFC 5297, appendix A.1; Project Wycheproof, aes_siv_cmac_test.json (the key 00 01 … 3f)
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.keys import Keyset, StoredKeyset
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow
from maskline.streams.definition import StreamDefinition
from maskline.streams.masking import MessageMasker
from tests.maskline.keysets import KEY, opened, raw_key, reference_token, siv
from tests.maskline.logins import login, message

MASKER = Masker(opened(7))
PREFIX_OF_KEY_7 = b"\x01\x00\x00\x00\x07"

WYCHEPROOF = [
    (b"", "6ff5b8ef53fc365606cd3ea047374885"),
    (b"01234567", "212e4a8f8b4c66788f3af230fb1c3ada5ead70c7f066d4df"),
    (b"0123456789:;<=>?", "04b4e8166f28082987a32cdaf53deb61211dffad7562c4b924bb79fed73d9ce2"),
    (b"0123456789:;<=>?@ABC", "305d6cf8eeb36a37849710e7d1f72940adfd10a7615d6515b999dbfc5a10f3ae9df5f19a"),
]


def test_the_reference_gives_what_rfc_5297_says() -> None:
    # Tink takes keys of 64 bytes only, and the RFC's is of 32, so this vector is for the reference alone.
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    associated_data = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    clear = bytes.fromhex("112233445566778899aabbccddee")

    output = siv(key, clear, associated_data)

    assert output.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"


@pytest.mark.parametrize(("clear", "output"), WYCHEPROOF)
def test_the_reference_gives_what_wycheproof_says(clear: bytes, output: str) -> None:
    assert siv(KEY, clear, b"").hex() == output


@pytest.mark.parametrize(("clear", "output"), WYCHEPROOF)
def test_a_keyset_gives_what_wycheproof_says_behind_its_prefix(clear: bytes, output: str) -> None:
    ciphertext = opened(7).encrypt(clear, b"")

    assert ciphertext == PREFIX_OF_KEY_7 + bytes.fromhex(output)


@pytest.mark.heavy
@settings(deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_keyset_gives_what_the_reference_gives_for_any_bytes(clear: bytes, associated_data: bytes) -> None:
    ciphertext = opened(7).encrypt(clear, associated_data)

    assert ciphertext == PREFIX_OF_KEY_7 + siv(KEY, clear, associated_data)


@pytest.mark.heavy
@settings(deadline=None)
@given(st.text(), st.text(), st.integers(1, 2**32 - 1))
def test_every_token_is_what_the_reference_gives(value: str, domain: str, key_id: int) -> None:
    token = Masker(opened(key_id)).mask(value, domain)

    assert token == reference_token(KEY, key_id, value, domain)


@pytest.mark.heavy
@settings(deadline=None)
@given(st.text(), st.text())
def test_a_token_that_the_reference_made_is_unmasked(value: str, domain: str) -> None:
    assert MASKER.unmask(reference_token(KEY, 7, value, domain), domain) == value


def test_a_row_masked_with_a_fresh_key_holds_what_the_reference_gives(
    user_logins: StreamDefinition, keyset: Keyset, stored_keyset: StoredKeyset
) -> None:
    key, key_id = raw_key(stored_keyset), keyset.primary_key_id

    row = MessageMasker(user_logins, keyset).mask(message(login(device_id="")))

    assert isinstance(row, MaskedRow)
    assert row.values[2] == reference_token(key, key_id, "199.172.111.135", "user_logins.masked_ip")
    assert row.values[3] == reference_token(key, key_id, "", "user_logins.masked_device_id")
