"""A token is Tink's wire format in base64url, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.errors import TokenError
from maskline.masks.tokens import (
    decode_token,
    encode_token,
    longest_clear_value,
    plain_ciphertexts,
    token_key_id,
    token_length,
)

CIPHERTEXT = bytes.fromhex("01 0a0b0c0d fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0 3e3f")
TOKEN = "AQoLDA3__v38-_r5-Pf29fTz8vHwPj8"


def test_a_token_is_base64url_without_padding() -> None:
    assert encode_token(CIPHERTEXT) == TOKEN
    assert decode_token(TOKEN) == CIPHERTEXT


def test_a_token_names_the_key_that_made_it_as_an_unsigned_number() -> None:
    assert token_key_id(bytes.fromhex("01 00000007")) == 7
    assert token_key_id(bytes.fromhex("01 ffffffff")) == 4_294_967_295


@settings(deadline=None)
@given(st.binary(min_size=20, max_size=200))
def test_every_ciphertext_comes_back_from_its_token(rest: bytes) -> None:
    ciphertext = b"\x01" + rest

    token = encode_token(ciphertext)

    assert decode_token(token) == ciphertext


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_token_is_safe_in_a_url_a_csv_file_and_a_file_name(ciphertext: bytes) -> None:
    token = encode_token(ciphertext)

    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "=",
        "not a token",
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.replace("_", "/").replace("-", "+"),
        TOKEN[:-1] + "9",
        TOKEN[:27],
        "Ag" + TOKEN[2:],
        TOKEN + "é",
        TOKEN + "\ud800",
        "199.172.111.135",
    ],
    ids=[
        "empty",
        "one letter",
        "padding alone",
        "a sentence",
        "padded",
        "a line",
        "indented",
        "base64 of another alphabet",
        "bits beyond the last byte",
        "cut within the IV",
        "another first byte",
        "not ASCII",
        "a lone surrogate",
        "a value in clear",
    ],
)
def test_anything_else_is_not_a_token(text: str) -> None:
    with pytest.raises(TokenError, match=r"^is not a "):
        decode_token(text)


def test_the_refusal_of_a_token_does_not_repeat_what_was_given_instead() -> None:
    with pytest.raises(TokenError) as refusal:
        decode_token("199.172.111.135")

    assert str(refusal.value) == "is not a token (base64url without padding)"


@settings(deadline=None)
@given(st.text(st.characters()))
def test_any_text_is_a_token_or_an_error_of_ours(text: str) -> None:
    try:
        ciphertext = decode_token(text)
    except TokenError:
        return

    assert encode_token(ciphertext) == text


@pytest.mark.parametrize(("clear_bytes", "characters"), [(0, 28), (1, 30), (2, 31), (3, 32), (15, 48), (171, 256)])
def test_the_width_of_a_token_follows_from_its_value(clear_bytes: int, characters: int) -> None:
    assert token_length(clear_bytes) == characters
    assert len(encode_token(bytes(5 + 16 + clear_bytes))) == characters


@pytest.mark.parametrize(("characters", "clear_bytes"), [(28, 0), (30, 1), (31, 2), (32, 3), (33, 3), (256, 171)])
def test_the_longest_value_follows_from_the_width_of_its_column(characters: int, clear_bytes: int) -> None:
    assert longest_clear_value(characters) == clear_bytes
    assert len(encode_token(bytes(5 + 16 + clear_bytes))) <= characters
    assert len(encode_token(bytes(5 + 16 + clear_bytes + 1))) > characters


@pytest.mark.parametrize(
    ("text", "ciphertexts"),
    [
        ("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0", ["fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"]),
        ("FFFEFDFCFBFAF9F8F7F6F5F4F3F2F1F0", ["fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"]),
        ("//79/Pv6+fj39vX08/Lx8A==", ["fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"]),
        ("//79/Pv6+fj39vX08/Lx8A", ["fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"]),
        ("__79_Pv6-fj39vX08_Lx8A", ["fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"]),
        ("__79_Pv6-fj39vX08_Lx8A==", ["fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"]),
        ("199.172.111.135", []),
        ("not base64!", []),
        ("A", []),
        ("\ud800", []),
        ("é", []),
    ],
)
def test_a_text_of_plain_aes_siv_is_read_in_every_form(text: str, ciphertexts: list[str]) -> None:
    read = [ciphertext.hex() for ciphertext in plain_ciphertexts(text)]

    assert [each for each in read if len(each) == 32] == ciphertexts


@settings(deadline=None)
@given(st.text(st.characters()))
def test_any_text_may_be_asked_for_plain_aes_siv(text: str) -> None:
    assert len(list(plain_ciphertexts(text))) <= 2
