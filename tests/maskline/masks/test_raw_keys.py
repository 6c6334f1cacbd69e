"""What plain AES-SIV made elsewhere is unmasked by a raw key in every usual text form, and never to a wrong value.

The other implementation is pycryptodome's.
"""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.errors import TokenError
from maskline.keys import open_keyset
from maskline.masks.deterministic import Masker
from maskline.masks.tokens import encode_token
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, opened, reference_token, siv, stored

IP = "user_logins.masked_ip"
DEVICE_ID = "user_logins.masked_device_id"
RAW_KEY = bytes(range(190, 254))
MASKER = Masker(open_keyset(stored(aes_siv_key(7), aes_siv_key(8, RAW_KEY, prefix="RAW"), primary=7)))
PLAIN = siv(RAW_KEY, b"199.172.111.135", IP.encode())
NO_TEXT = encode_token(b"\x01\0\0\0\x07" + siv(KEY, b"\xff\xfe", IP.encode()))

FORMS: dict[str, Callable[[bytes], str]] = {
    "hexadecimal": bytes.hex,
    "capital hexadecimal": lambda plain: plain.hex().upper(),
    "base64": lambda plain: base64.b64encode(plain).decode(),
    "base64 without padding": lambda plain: base64.b64encode(plain).decode().rstrip("="),
    "base64url": lambda plain: base64.urlsafe_b64encode(plain).decode(),
    "base64url without padding": lambda plain: base64.urlsafe_b64encode(plain).decode().rstrip("="),
}


@pytest.mark.parametrize(
    "text",
    [
        "af8ab755d2539a131e33fe2d2cda9fe6469e82bdfb3f8cec9af15f61e779da",
        "r4q3VdJTmhMeM/4tLNqf5kaegr37P4zsmvFfYed52g==",
        "r4q3VdJTmhMeM/4tLNqf5kaegr37P4zsmvFfYed52g",
        "r4q3VdJTmhMeM_4tLNqf5kaegr37P4zsmvFfYed52g==",
        "r4q3VdJTmhMeM_4tLNqf5kaegr37P4zsmvFfYed52g",
    ],
)
def test_known_texts_of_plain_aes_siv_are_unmasked(text: str) -> None:
    assert MASKER.unmask(text, IP) == "199.172.111.135"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@settings(deadline=None, max_examples=50)
@given(value=st.text(), domain=st.text())
def test_any_value_comes_back_from_every_form(form: Callable[[bytes], str], value: str, domain: str) -> None:
    text = form(siv(RAW_KEY, value.encode(), domain.encode()))

    assert MASKER.unmask(text, domain) == value


@settings(deadline=None, max_examples=50)
@given(st.text(), st.text())
def test_a_raw_key_changes_nothing_about_tokens(value: str, domain: str) -> None:
    token = MASKER.mask(value, domain)

    assert token == reference_token(KEY, 7, value, domain)
    assert MASKER.unmask(token, domain) == value


def test_plain_aes_siv_that_looks_like_a_token_of_another_key_of_the_keyset_is_unmasked() -> None:
    value, plain = next(
        (value, plain)
        for value in (f"value {number}" for number in range(10_000))
        if (plain := siv(RAW_KEY, value.encode(), IP.encode()))[0] == 1
    )
    named = int.from_bytes(plain[1:5], "big")
    keys = aes_siv_key(7), aes_siv_key(named, OTHER_KEY), aes_siv_key(8, RAW_KEY, prefix="RAW")
    masker = Masker(open_keyset(stored(*keys, primary=7)))

    text = encode_token(plain)

    assert masker.unmask(text, IP) == value


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_with_any_bit_altered_it_is_an_error_and_never_a_value(form: Callable[[bytes], str]) -> None:
    for place in range(len(PLAIN)):
        for bit in range(8):
            altered = PLAIN[:place] + bytes([PLAIN[place] ^ 1 << bit]) + PLAIN[place + 1 :]
            with pytest.raises(TokenError):
                MASKER.unmask(form(altered), IP)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_cut_off_or_drawn_out_it_is_an_error_and_never_a_value(form: Callable[[bytes], str]) -> None:
    text = form(PLAIN)

    for each in [
        *(text[:length] for length in range(len(text.rstrip("=")))),
        text[1:],
        "A" + text,
        text + "AA",
        text * 2,
    ]:
        with pytest.raises(TokenError):
            MASKER.unmask(each, IP)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_of_another_domain_or_another_key_it_is_an_error_and_never_a_value(form: Callable[[bytes], str]) -> None:
    with pytest.raises(TokenError):
        MASKER.unmask(form(PLAIN), DEVICE_ID)
    with pytest.raises(TokenError):
        MASKER.unmask(form(siv(OTHER_KEY, b"199.172.111.135", IP.encode())), IP)
    with pytest.raises(TokenError):
        MASKER.unmask(form(siv(KEY, b"199.172.111.135", IP.encode())), IP)


def test_without_a_raw_key_or_with_a_disabled_one_it_is_no_token() -> None:
    disabled = aes_siv_key(8, RAW_KEY, prefix="RAW", status="DISABLED")

    for keyset in (opened(7), opened(8, RAW_KEY), open_keyset(stored(aes_siv_key(7), disabled, primary=7))):
        for form in FORMS.values():
            with pytest.raises(TokenError):
                Masker(keyset).unmask(form(PLAIN), IP)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (reference_token(KEY, 7, "199.172.111.135", DEVICE_ID), f"was altered, or is not of the domain {IP}"),
        (
            reference_token(OTHER_KEY, 9, "199.172.111.135", IP),
            "was made with key 9, and this keyset does not hold it",
        ),
        ("199.172.111.135", "is not a token (base64url without padding)"),
        ("", "is not a whole token; was it cut off or altered?"),
    ],
    ids=["another domain", "another key", "a value in clear", "nothing"],
)
def test_what_is_neither_is_told_what_is_wrong_with_it_as_a_token(token: str, why: str) -> None:
    with pytest.raises(TokenError) as refusal:
        MASKER.unmask(token, IP)

    assert str(refusal.value) == why


@pytest.mark.parametrize(
    "text",
    [
        siv(RAW_KEY, b"\xff\xfe", IP.encode()).hex(),
        encode_token(b"\x01\0\0\0\x07" + siv(KEY, b"\xff\xfe", IP.encode())),
    ],
    ids=["plain AES-SIV", "a token"],
)
def test_what_decrypts_to_no_text_is_an_error_that_does_not_show_it_and_is_masked_anew_all_the_same(text: str) -> None:
    with pytest.raises(TokenError) as refusal:
        MASKER.unmask(text, IP)
    anew = MASKER.remask(text, IP)

    assert str(refusal.value) == "holds bytes that are no text in UTF-8; whoever made it masked something else"
    assert "0xff" not in "".join(traceback.format_exception(refusal.value))
    assert anew == NO_TEXT
