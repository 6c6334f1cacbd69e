"""What an older key masked is masked anew under the primary, to exactly what the primary would have made of it.

Both other opinions are asked: Tink's DeterministicAead without anything of ours, and pycryptodome's MODE_SIV.
"""

from __future__ import annotations

import pytest
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st
from tink import daead, json_proto_keyset_format, secret_key_access

from maskline.errors import TokenError
from maskline.keys import open_keyset
from maskline.masks.deterministic import Masker
from maskline.masks.tokens import encode_token
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, opened, reference_token, siv, stored

pytestmark = pytest.mark.heavy

IP = "user_logins.masked_ip"
RAW_KEY = bytes(range(190, 254))
ROTATED = stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), aes_siv_key(9, RAW_KEY, prefix="RAW"), primary=8)
BEFORE = Masker(opened(7))
MASKER = Masker(open_keyset(ROTATED))
PLACE = ("user_logins", "6f9619ff-8b86-4011-b42d-000000000001")
SEAL = b"rejected_messages.body\0user_logins\x006f9619ff-8b86-4011-b42d-000000000001"


def unsealed(sealed: bytes, key: bytes) -> bytes:
    """Decrypt a sealed body by pycryptodome: 16 random bytes, and the body."""
    cipher = AES.new(key, AES.MODE_SIV)
    cipher.update(SEAL)
    return bytes(cipher.decrypt_and_verify(sealed[21:], sealed[5:21]))


def tinks_own(clear: bytes, domain: str) -> bytes:
    """Encrypt by Tink alone, under the primary of the rotated keyset."""
    daead.register()
    handle = json_proto_keyset_format.parse(ROTATED.content.decode(), secret_key_access.TOKEN)
    return bytes(handle.primitive(daead.DeterministicAead).encrypt_deterministically(clear, domain.encode()))


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_token_of_an_older_key_becomes_what_tink_and_pycryptodome_make_under_the_primary(
    value: str, domain: str
) -> None:
    old = BEFORE.mask(value, domain)

    new = MASKER.remask(old, domain)

    assert old == reference_token(KEY, 7, value, domain)
    assert new == reference_token(OTHER_KEY, 8, value, domain)
    assert new == encode_token(tinks_own(value.encode(), domain))


@settings(deadline=None, max_examples=50)
@given(st.text(), st.text())
def test_plain_aes_siv_becomes_what_tink_and_pycryptodome_make_under_the_primary(value: str, domain: str) -> None:
    plain = siv(RAW_KEY, value.encode(), domain.encode()).hex()

    new = MASKER.remask(plain, domain)

    assert new == reference_token(OTHER_KEY, 8, value, domain)
    assert new == encode_token(tinks_own(value.encode(), domain))


def test_a_token_of_the_primary_stays_as_it_is() -> None:
    token = MASKER.mask("199.172.111.135", IP)

    assert MASKER.remask(token, IP) == token == reference_token(OTHER_KEY, 8, "199.172.111.135", IP)


def test_equal_values_of_two_keys_have_equal_tokens_again() -> None:
    old, new = BEFORE.mask("199.172.111.135", IP), MASKER.mask("199.172.111.135", IP)

    assert old != new
    assert MASKER.remask(old, IP) == new


@pytest.mark.parametrize(
    ("token", "domain"),
    [
        (BEFORE.mask("199.172.111.135", IP), "user_logins.masked_device_id"),
        (BEFORE.mask("199.172.111.135", IP)[:-1] + "A", IP),
        (BEFORE.mask("199.172.111.135", IP)[:-2], IP),
        (reference_token(RAW_KEY, 10, "199.172.111.135", IP), IP),
        ("199.172.111.135", IP),
        ("", IP),
    ],
    ids=["another domain", "altered", "cut off", "an unknown key", "a value in clear", "nothing"],
)
def test_what_cannot_be_unmasked_is_never_masked_anew(token: str, domain: str) -> None:
    with pytest.raises(TokenError):
        MASKER.remask(token, domain)


@settings(deadline=None)
@given(st.text(st.characters()))
def test_a_body_of_an_older_key_becomes_what_tink_and_pycryptodome_make_under_the_primary(body: str) -> None:
    old = BEFORE.seal_body(body, *PLACE)

    new = MASKER.remask_body(old, *PLACE)

    clear = unsealed(new, OTHER_KEY)
    assert clear[16:] == body.encode("utf-8", "surrogatepass")
    assert new == b"\x01\x00\x00\x00\x08" + siv(OTHER_KEY, clear, SEAL)
    assert new == tinks_own(clear, SEAL.decode())
    assert clear[:16] != unsealed(old, KEY)[:16], "the random bytes are others"
    assert MASKER.unseal_body(new, *PLACE) == body


def test_a_body_of_an_earlier_version_opens_anywhere_and_is_bound_by_a_rotation() -> None:
    old = b"\x01\x00\x00\x00\x07" + siv(KEY, b"not JSON", b"rejected_messages.body")

    new = MASKER.remask_body(old, *PLACE)

    assert MASKER.unseal_body(old, "any", "where") == "not JSON"
    assert MASKER.unseal_body(new, *PLACE) == "not JSON"
    with pytest.raises(TokenError, match="the body was altered, or is that of another message"):
        MASKER.unseal_body(new, "any", "where")


def test_a_body_that_was_altered_is_never_sealed_anew() -> None:
    sealed = BEFORE.seal_body('{"ip": "199.172.111.135"}', *PLACE)

    for place in range(len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(TokenError, match=r"the body was (altered|sealed with key)"):
            MASKER.remask_body(altered, *PLACE)


def test_whoever_lacks_the_older_key_masks_nothing_anew() -> None:
    token, sealed = BEFORE.mask("199.172.111.135", IP), BEFORE.seal_body("body", *PLACE)
    disabled = aes_siv_key(7, status="DISABLED")

    for keyset in (opened(8, OTHER_KEY), open_keyset(stored(disabled, aes_siv_key(8, OTHER_KEY), primary=8))):
        with pytest.raises(TokenError, match="was made with key 7, and this keyset"):
            Masker(keyset).remask(token, IP)
        with pytest.raises(TokenError):
            Masker(keyset).remask_body(sealed, *PLACE)
