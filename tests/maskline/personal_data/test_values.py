"""Personal data told by its form: examples of each kind, and what looks like one and is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.personal_data.kinds import PersonalDataKind
from maskline.personal_data.values import kinds_in

KINDS = {
    PersonalDataKind.EMAIL: [
        "ann@example.com",
        "Ann.O'Neil+news@mail.example.co.uk",
        "Ann Example <ann@example.com>, by return",
        "mailto:ann@example.com?subject=hi",
        '{"contact": "ann@example.com"}',
        "é@exämple.de",
        "see ann@example.com.",
        "@home and ann@example.com",
    ],
    PersonalDataKind.PHONE: [
        "+491701234567",
        "+49 170 1234567",
        "0049-170-1234567",
        "+1 (212) 555-2368",
        "call +44 20 7946 0958, please",
        "tel:+33-1-42-68-53-00",
    ],
    PersonalDataKind.IP_ADDRESS: [
        "203.0.113.7",
        "203.0.113.7:443",
        "203.0.113.0/24",
        "from 203.0.113.7.",
        "http://203.0.113.7/login",
        "10.0.0.1, 203.0.113.7",
        "2001:db8::1",
        "2001:DB8:0:0:0:0:0:1",
        "[2001:db8::1]:443",
        "::ffff:203.0.113.7",
        "fe80::1%eth0",
    ],
    PersonalDataKind.MAC_ADDRESS: ["00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e", "from AA:BB:CC:DD:EE:FF on"],
    PersonalDataKind.IBAN: [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
        "TO GB82 WEST 1234 5698 7654 32 BY NOON",
        "NO9386011117947",
    ],
    PersonalDataKind.CARD: [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "paid with 6011111111111117.",
    ],
    PersonalDataKind.NATIONAL_ID: [
        "536-90-4399",
        "RCCMNL83S18D969H",
        "2 95 10 99 126 111 93",
        "54362315K",
        "X-2482300W",
        "131052-308T",
        "880320-0016",
    ],
}
NONE_OF_THEM = [
    "",
    "2.3.0",
    "2026-01-31T12:00:00Z",
    "2026-01-31T12:00:00.123456+01:00",
    "2026-01-31 12:00:00+0530",
    "12:30:45",
    "6f9619ff-8b86-4011-b42d-00c04fc964ff",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "v1.2.3.4",
    "1.2.3.4.5",
    "256.1.1.1",
    "127.0.0.1",
    "0.0.0.0",
    "::1",
    "::",
    "std::dead",
    "add::face",
    "@ann",
    "ann@host",
    "left-pad@1.3.0",
    "https://example.com/@ann/1",
    "ff:ff:ff:ff:ff:ff",
    "00:00:00:00:00:00",
    "DE00370400440532013000",
    "4111111111111112",
    "1769860800000",
    "1769860800000000000",
    "0.4111111111111111",
    "4111111111111111.25",
    "00000000012345",
    "0012345678901",
    "+1",
    "1 + 2 = 3",
    "+12345",
    "000-12-3456",
    "arn:aws:sns:eu-central-1:123456789012:logins",
    "s3://bucket/2026/01/31/part-0000.json",
    "eyJhbGciOiJIUzI1NiJ9",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in KINDS.items() for text in texts])
def test_a_kind_is_found_alone_and_among_words(kind: PersonalDataKind, text: str) -> None:
    assert kinds_in(text) == {kind}


@pytest.mark.parametrize("text", NONE_OF_THEM)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert kinds_in(text) == frozenset()


def test_every_kind_has_examples() -> None:
    assert set(KINDS) == set(PersonalDataKind)


def test_several_kinds_are_found_in_one_text() -> None:
    found = kinds_in("ann@example.com from 203.0.113.7")

    assert found == {PersonalDataKind.EMAIL, PersonalDataKind.IP_ADDRESS}


@pytest.mark.parametrize(
    "piece", ["a@", "@a.b", "+1 ", "1.", "00 ", "1:", "a:", "::", "AA11 ", "4111 ", "1-", "00:", "(", "é"]
)
def test_no_text_takes_long(piece: str) -> None:
    kinds_in(piece * 50_000)  # the suite's own time limit is the assertion


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert kinds_in(text) <= set(PersonalDataKind)
