"""What a mask promises: that it comes back or never does, what it keeps, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.errors import TokenError
from maskline.keys import open_keyset
from maskline.masks.deterministic import DeterministicMask, Masker
from maskline.masks.leaves import ClearPath, LeavesMask
from maskline.masks.padding import add_padding, padded_length, remove_padding
from maskline.masks.random import RandomMask
from maskline.masks.truncate import parse_truncation, truncated_date_text
from maskline.streams.json_text import decode_json, encode_json
from tests.maskline.keysets import OTHER_KEY, aes_siv_key, opened, opened_hash, stored

OLD = Masker(opened(7))
NEW = Masker(open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8)))


def test_two_random_tokens_of_one_value_differ() -> None:
    mask = RandomMask(OLD, "d")

    tokens = {mask.mask("ann@example.com") for _ in range(100)}

    assert len(tokens) == 100
    assert {mask.unmask(token) for token in tokens} == {"ann@example.com"}


def test_padding_hides_which_of_sixteen_lengths_a_value_has() -> None:
    mask = DeterministicMask(OLD, "d", 16)

    lengths = {len(mask.mask("x" * length)) for length in range(16)}

    assert lengths == {len(DeterministicMask(OLD, "d").mask("x" * 16))}
    assert len(mask.mask("x" * 16)) > lengths.pop()


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(1, 40))
def test_padding_comes_off_again_and_is_as_long_as_it_is_said_to_be(value: bytes, pad: int) -> None:
    padded = add_padding(value, pad)

    assert remove_padding(padded, pad) == value
    assert len(padded) == padded_length(len(value), pad)
    assert len(padded) % pad == 0


@pytest.mark.parametrize("unpadded", [b"203.0.113.7", b"", b"203.0.113.7\x80\0\0\0\0\0"])
def test_a_value_without_padding_is_refused_where_padding_belongs(unpadded: bytes) -> None:
    with pytest.raises(TokenError, match="holds a value without padding to 16 bytes"):
        DeterministicMask(OLD, "d", 16).unmask(OLD.encrypt(unpadded, "d"))


def test_a_deterministic_token_is_no_random_one() -> None:
    with pytest.raises(TokenError, match="is shorter than its random bytes"):
        RandomMask(OLD, "d").unmask(OLD.mask("203.0.113.7", "d"))


def leaves(masker: Masker, clear: list[ClearPath] | None = None) -> LeavesMask:
    return LeavesMask(masker, "doc", clear or [], encode_json, decode_json)


def test_a_document_of_an_older_key_comes_under_the_new_one_and_stays_what_it_is() -> None:
    document = {"a": "x", "b": [1, False, None], "c": {"clear": "y"}}
    masked = leaves(OLD, [("c", "clear")]).mask(document)

    remasked = leaves(NEW, [("c", "clear")]).remask(masked)

    assert remasked == leaves(NEW, [("c", "clear")]).mask(document)
    assert remasked != masked


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"a": 1}, "has a number or a truth value where a token belongs"),
        ({"a": "Ann"}, "is not a whole token"),
        ({"a": OLD.mask("Ann", "other")}, "was altered, or is not of the domain doc"),
    ],
)
def test_what_is_no_token_in_a_document_is_refused(document: object, why: str) -> None:
    for change in (leaves(OLD).unmask, leaves(OLD).remask):
        with pytest.raises(TokenError, match=why):
            change(document)


@pytest.mark.parametrize(
    ("mask", "value", "kept"),
    [
        ("ip/24,48", "203.0.113.7", "203.0.113.0/24"),
        ("ip/24,48", " 2001:DB8:1:2::3 ", "2001:db8:1::/48"),
        ("ip/24,48", "::ffff:203.0.113.7", "203.0.113.0/24"),
        ("ip/0,0", "203.0.113.7", "0.0.0.0/0"),
        ("ip/20,36", "203.0.113.7", "203.0.112.0/20"),
        ("date/month", date(2026, 1, 31), date(2026, 1, 1)),
        ("date/year", date(2026, 7, 31), date(2026, 1, 1)),
        ("date/month", datetime(2026, 1, 31, 23, 59, 59, 5, UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ("number/1000", 1999, 1000),
        ("number/1000", -1, -1000),
        ("number/10", 20, 20),
        (
            "number/0.5",
            Decimal("12345678901234567890123456789012345.74"),
            Decimal("12345678901234567890123456789012345.5"),
        ),
        ("number/0.5", Decimal("-0.1"), Decimal("-0.5")),
        ("number/0.25", 0.3, 0.25),
        ("keep/last4", "DE89370400440532013000", "3000"),
        ("keep/first2", "DE89370400440532013000", "DE"),
        ("keep/last4", "12345", "2345"),
        ("keep/last4", "1234", ""),
        ("keep/first4", "", ""),
    ],
)
def test_truncation_keeps_this_and_nothing_else(mask: str, value: object, kept: object) -> None:
    found = parse_truncation(mask).truncate(value)

    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(("mask", "text"), [("date/month", "2026-01"), ("date/year", "2026")])
def test_a_date_in_a_text_keeps_its_month_or_its_year(mask: str, text: str) -> None:
    assert truncated_date_text(parse_truncation(mask), date(2026, 1, 31)) == text
    assert parse_truncation(mask).max_length == len(text)


@pytest.mark.parametrize(
    ("mask", "value", "why"),
    [
        ("ip/24,48", "Ann", "is not an IP address, so its network is not known"),
        ("date/month", "2026", "is not a date, so its month and year are not known"),
        ("number/10", "7", "is not a number, so its bucket is not known"),
        ("number/10", True, "is not a number, so its bucket is not known"),
    ],
)
def test_what_cannot_be_truncated_is_refused_without_being_told(mask: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match="is not") as refusal:
        parse_truncation(mask).truncate(value)

    assert str(refusal.value) == why


@pytest.mark.parametrize(
    "mask",
    [
        *("", "ip", "ip/24", "ip/32,48", "ip/24,128", "ip/-1,48", "date", "date/day", "phone/1"),
        *("number/0", "number/-1", "number/x", "keep/4", "keep/last0", "keep/last"),
    ],
)
def test_a_truncation_that_is_none_is_refused_with_examples(mask: str) -> None:
    with pytest.raises(ValueError, match="is not known; write one of truncate:ip/24,48, truncate:date/month"):
        parse_truncation(mask)


@pytest.mark.parametrize("secret", [opened_hash, lambda: RandomMask(OLD, "d"), lambda: leaves(OLD)])
def test_no_mask_shows_a_key(secret: Callable[[], object]) -> None:
    assert bytes(range(8)).hex() not in repr(secret())
    assert "200, 201" not in repr(secret())
