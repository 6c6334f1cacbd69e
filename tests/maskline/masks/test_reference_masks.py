"""Masks store what independent implementations say: pycryptodome's AES-SIV, the standard library's HMAC."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.masks.deterministic import DeterministicMask, Masker
from maskline.masks.hash import HashMask
from maskline.masks.leaves import ClearPath, LeavesMask
from maskline.masks.random import RandomMask
from maskline.streams.json_text import decode_json, encode_json
from tests.maskline.keysets import HASH_KEY, KEY, opened, opened_hash, reference_hash, reference_token, siv

MASKER = Masker(opened(7))
PREFIX = b"\x01\x00\x00\x00\x07"
SALT = bytes(range(16))
WITHOUT_NUL = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def token_of(clear: bytes, domain: str) -> str:
    """Return the token of some bytes, by pycryptodome."""
    return base64.urlsafe_b64encode(PREFIX + siv(KEY, clear, domain.encode())).decode().replace("=", "")


def leaves(clear: list[ClearPath] | None = None) -> LeavesMask:
    return LeavesMask(MASKER, "doc", clear or [], encode_json, decode_json)


@pytest.mark.heavy
@settings(deadline=None)
@given(st.text(), st.text(), st.binary(min_size=16, max_size=16))
def test_a_random_token_is_of_the_random_bytes_and_the_value(value: str, domain: str, salt: bytes) -> None:
    mask = RandomMask(MASKER, domain, new_salt=lambda: salt)

    assert mask.mask(value) == token_of(salt + value.encode(), domain)
    assert mask.unmask(token_of(salt + value.encode(), domain)) == value


@pytest.mark.parametrize(
    ("value", "padded"),
    [
        ("", b"\x80" + bytes(15)),
        ("203.0.113.7", b"203.0.113.7\x80\0\0\0\0"),
        ("fifteen letters", b"fifteen letters\x80"),
        ("sixteen letters.", b"sixteen letters.\x80" + bytes(15)),
        ("ends in \u0080\0", "ends in \u0080\0".encode() + b"\x80" + bytes(4)),
    ],
)
def test_a_padded_token_is_of_the_value_and_its_padding(value: str, padded: bytes) -> None:
    mask = DeterministicMask(MASKER, "d", 16)

    assert mask.mask(value) == token_of(padded, "d")
    assert mask.unmask(token_of(padded, "d")) == value


def test_a_padded_random_token_pads_the_random_bytes_and_the_value() -> None:
    mask = RandomMask(MASKER, "d", 16, new_salt=lambda: SALT)

    assert mask.mask("203.0.113.7") == token_of(SALT + b"203.0.113.7\x80\0\0\0\0", "d")


@pytest.mark.heavy
@settings(deadline=None)
@given(st.text(), WITHOUT_NUL, st.binary(min_size=32, max_size=32))
def test_every_hash_is_what_the_standard_library_gives(value: str, domain: str, key: bytes) -> None:
    assert HashMask(opened_hash(key), domain).mask(value) == reference_hash(key, value, domain)


def test_a_hash_is_known() -> None:
    # python3 -c 'import hmac,base64; print(base64.urlsafe_b64encode(hmac.digest(bytes(range(200,232)),
    #             b"email\0ann@example.com","sha256")[:16]))'
    assert HashMask(opened_hash(HASH_KEY), "email").mask("ann@example.com") == "FSXj8MGqoiE48z_CV4mMmg"


def test_leaves_are_masked_as_texts_in_the_domain_and_as_json_beside_it() -> None:
    document = decode_json(
        '{"name": "Ann", "age": 41, "score": 1.50, "is_new": true, "none": null, "tags": ["a", 2, [], {}]}'
    )

    masked = leaves().mask(document)

    assert masked == {
        "name": reference_token(KEY, 7, "Ann", "doc"),
        "age": reference_token(KEY, 7, "41", "doc#json"),
        "score": reference_token(KEY, 7, "1.50", "doc#json"),
        "is_new": reference_token(KEY, 7, "true", "doc#json"),
        "none": None,
        "tags": [reference_token(KEY, 7, "a", "doc"), reference_token(KEY, 7, "2", "doc#json"), [], {}],
    }
    assert leaves().unmask(masked) == document


def test_what_is_clear_of_a_document_stays_as_it_is_with_all_below_it() -> None:
    document = {"items": [{"sku": "a", "name": "Ann"}, {"sku": 2}], "total": {"currency": "EUR", "of": [1]}, "sku": "s"}

    masked = leaves([("items", None, "sku"), ("total",), ("sku", "no"), ("items", 1, "name")]).mask(document)

    assert masked == {
        "items": [{"sku": "a", "name": reference_token(KEY, 7, "Ann", "doc")}, {"sku": 2}],
        "total": {"currency": "EUR", "of": [1]},
        "sku": reference_token(KEY, 7, "s", "doc"),
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WITHOUT_NUL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.heavy
@settings(deadline=None)
@given(JSON)
def test_any_document_comes_back_with_its_types(document: object) -> None:
    written = json.loads(json.dumps(leaves().mask(document)))

    assert json.dumps(leaves().unmask(written), sort_keys=True) == json.dumps(document, sort_keys=True)
