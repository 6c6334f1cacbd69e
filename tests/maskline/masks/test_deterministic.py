"""A value masked is found again by its token, recovered by whoever has the key, and by nobody in any other way."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.errors import TokenError
from maskline.keys import Keyset, open_keyset
from maskline.masks.deterministic import Masker
from maskline.masks.tokens import decode_token, encode_token
from maskline.records import MaskedRow, Reason, Receipt, Rejection
from maskline.streams.definition import StreamDefinition
from maskline.streams.masking import MessageMasker, rejected_by_database
from tests.maskline.keysets import OTHER_KEY, aes_siv_key, opened, stored
from tests.maskline.logins import LOGIN, login, message

IP = "user_logins.masked_ip"
DEVICE_ID = "user_logins.masked_device_id"
IP_TOKEN = "AQAAAAedIOab67Dyd5c3Aeffd_5JcG8n0Cjy9M6sVuhWeA60"
"""199.172.111.135 in the domain of IPs, masked with the bytes 00 01 … 3f as key 7."""

PLACE = ("user_logins", "6f9619ff-8b86-4011-b42d-000000000001")
OTHER_ID = "6f9619ff-8b86-4011-b42d-000000000002"
MASKER = Masker(opened(7))


@pytest.mark.heavy
@settings(deadline=None)
@given(st.text(), st.text())
def test_every_value_comes_back_from_its_token(value: str, domain: str) -> None:
    token = MASKER.mask(value, domain)

    assert MASKER.unmask(token, domain) == value


@pytest.mark.heavy
@settings(deadline=None)
@given(st.text(), st.text())
def test_equal_values_have_equal_tokens_and_others_have_others(value: str, other: str) -> None:
    again = Masker(opened(7))

    assert MASKER.mask(value, IP) == again.mask(value, IP)
    assert (MASKER.mask(value, IP) == MASKER.mask(other, IP)) is (value == other)


@pytest.mark.parametrize(
    ("value", "domain", "key_id", "token"),
    [
        ("199.172.111.135", IP, 7, IP_TOKEN),
        ("", IP, 7, "AQAAAAeMXn1jxO_McW2o7hTd7DkF"),
        ("199.172.111.135", DEVICE_ID, 7, "AQAAAAezIbsNvwc_Imrn3wpsYfsC7OwhktqqI3_8FzqgkJj_"),
        ("199.172.111.135", IP, 2**31 + 1, "AYAAAAGdIOab67Dyd5c3Aeffd_5JcG8n0Cjy9M6sVuhWeA60"),
    ],
)
def test_tokens_stored_years_ago_are_still_made_and_read(value: str, domain: str, key_id: int, token: str) -> None:
    masker = Masker(opened(key_id))

    assert masker.mask(value, domain) == token
    assert masker.unmask(token, domain) == value


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_a_token_of_another_column_is_an_error_and_never_a_value(value: str, domain: str, other: str) -> None:
    token = MASKER.mask(value, domain)

    if other != domain:
        with pytest.raises(TokenError):
            MASKER.unmask(token, other)


def test_a_token_of_another_column_is_told_from_what_it_was_read_as() -> None:
    with pytest.raises(TokenError) as refusal:
        MASKER.unmask(IP_TOKEN, DEVICE_ID)

    assert str(refusal.value) == "was altered, or is not of the domain user_logins.masked_device_id"


@pytest.mark.heavy
def test_a_token_with_any_byte_altered_is_an_error_and_never_a_value() -> None:
    ciphertext = decode_token(IP_TOKEN)
    altered = [
        ciphertext[:place] + bytes([byte]) + ciphertext[place + 1 :]
        for place in range(len(ciphertext))
        for byte in range(256)
        if byte != ciphertext[place]
    ]

    for each in altered:
        with pytest.raises(TokenError):
            MASKER.unmask(encode_token(each), IP)

    assert len(altered) == 36 * 255


def test_a_token_cut_off_anywhere_or_drawn_out_is_an_error_and_never_a_value() -> None:
    cut_off = [IP_TOKEN[:length] for length in range(len(IP_TOKEN))]

    for each in [*cut_off, IP_TOKEN[1:], IP_TOKEN + "A", IP_TOKEN + "AAAA", IP_TOKEN + "=", IP_TOKEN * 2]:
        with pytest.raises(TokenError):
            MASKER.unmask(each, IP)


def test_a_token_of_an_unknown_key_is_an_error_that_names_the_key() -> None:
    token = Masker(opened(4_000_000_000, OTHER_KEY)).mask("199.172.111.135", IP)

    with pytest.raises(TokenError) as refusal:
        MASKER.unmask(token, IP)

    assert str(refusal.value) == "was made with key 4000000000, and this keyset does not hold it"


def test_a_token_of_a_disabled_key_is_an_error_that_names_the_key() -> None:
    token = Masker(opened(8, OTHER_KEY)).mask("199.172.111.135", IP)
    disabled = aes_siv_key(8, OTHER_KEY, status="DISABLED")
    masker = Masker(open_keyset(stored(aes_siv_key(7), disabled, primary=7)))

    with pytest.raises(TokenError, match="was made with key 8, and this keyset has disabled it"):
        masker.unmask(token, IP)


def test_a_token_of_another_key_under_the_same_id_is_an_error_and_never_a_value() -> None:
    token = Masker(opened(7, OTHER_KEY)).mask("199.172.111.135", IP)

    with pytest.raises(TokenError, match="was altered, or is not of the domain"):
        MASKER.unmask(token, IP)


@settings(deadline=None)
@given(st.text(st.characters()))
def test_every_body_comes_back_from_its_seal_with_lone_surrogates_too(body: str) -> None:
    sealed = MASKER.seal_body(body, *PLACE)

    assert MASKER.unseal_body(sealed, *PLACE) == body


def test_equal_bodies_cannot_be_told_equal_and_open_only_where_they_were_put() -> None:
    sealed, again = (MASKER.seal_body("body", *PLACE) for _ in range(2))

    assert sealed[5:21] != again[5:21]
    for place in [("user_logins", OTHER_ID), ("orders", PLACE[1]), ("user_logins", ""), (PLACE[1], "user_logins")]:
        with pytest.raises(TokenError, match=r"^the body was altered, or is that of another message$"):
            MASKER.unseal_body(sealed, *place)


def test_a_seal_that_was_altered_or_is_of_another_key_is_an_error_and_never_a_body() -> None:
    sealed = MASKER.seal_body("body", *PLACE)

    for each in [sealed[:-1], sealed + b"\0", sealed[:-1] + bytes([sealed[-1] ^ 1])]:
        with pytest.raises(TokenError, match="the body was altered"):
            MASKER.unseal_body(each, *PLACE)
    for each in [b"", sealed[:4]]:
        with pytest.raises(TokenError, match="the body was sealed with key 0, and this keyset does not hold it"):
            MASKER.unseal_body(each, *PLACE)
    with pytest.raises(TokenError, match="the body was sealed with key 7, and this keyset does not hold it"):
        Masker(opened(8)).unseal_body(sealed, *PLACE)


def test_a_sealed_body_cannot_be_unmasked_as_a_value_of_a_column() -> None:
    sealed = encode_token(MASKER.seal_body("199.172.111.135", *PLACE))

    with pytest.raises(TokenError):
        MASKER.unmask(sealed, IP)


def test_a_login_becomes_a_row_of_clear_columns_and_tokens(user_logins: StreamDefinition) -> None:
    masker = MessageMasker(user_logins, opened(7))
    received = message(login())

    row = masker.mask(received)

    assert isinstance(row, MaskedRow)
    assert row.values == (
        "424cdd21-063a-43a7-b91b-7ca1a833afae",
        "android",
        IP_TOKEN,
        "AQAAAAfLaADYXHPIQlLgj2g0kJRZn4-z0nXK1tL6x5Q",
        "RU",
        "2.3.0",
    )
    assert row.receipt == Receipt("6f9619ff-8b86-4011-b42d-000000000001", "handle-1")
    assert (row.sent_at, row.receive_count, row.key_id) == (received.sent_at, 2, 7)
    assert MASKER.unseal_body(row.sealed_body, *PLACE) == received.body


def test_null_stays_null_and_the_empty_string_is_masked(user_logins: StreamDefinition) -> None:
    masker = MessageMasker(user_logins, opened(7))

    row = masker.mask(message(login(ip="", device_id=None)))

    assert isinstance(row, MaskedRow)
    assert row.values[2:4] == ("AQAAAAeMXn1jxO_McW2o7hTd7DkF", None)


def test_a_refused_message_is_kept_whole_and_sealed(user_logins: StreamDefinition) -> None:
    masker = MessageMasker(user_logins, opened(7))
    received = message(login(user_id="a\ud800b") + "\ud800")

    rejection = masker.mask(received)

    assert isinstance(rejection, Rejection)
    assert (rejection.stream, rejection.reason) == ("user_logins", Reason.NOT_JSON)
    assert rejection.receipt == Receipt("6f9619ff-8b86-4011-b42d-000000000001", "handle-1")
    assert (rejection.sent_at, rejection.receive_count, rejection.key_id) == (received.sent_at, 2, 7)
    assert MASKER.unseal_body(rejection.sealed_body, *PLACE) == received.body


@pytest.mark.parametrize("body", [login(), login(ip="", session="secret-session")])
def test_no_clear_value_is_anywhere_in_a_row(user_logins: StreamDefinition, keyset: Keyset, body: str) -> None:
    row = MessageMasker(user_logins, keyset).mask(message(body))

    assert isinstance(row, MaskedRow)
    assert b"424cdd21-063a-43a7-b91b-7ca1a833afae" in pickle.dumps(row), "a column that is not personal is found"
    for clear in (b"199.172.111.135", b"593-47-5928", b"secret-session"):
        assert clear not in pickle.dumps(row)
        assert clear.decode() not in repr(row)


@pytest.mark.parametrize(
    "body",
    [
        login(user_id=None),
        login(ip=["199.172.111.135"]),
        login(locale="x" * 33),
        login()[:-1],
        login()[:-1] + ', "ip": "199.172.111.135"}',
        login(ip=float("nan")),
    ],
)
def test_no_clear_value_is_anywhere_in_a_rejection(user_logins: StreamDefinition, keyset: Keyset, body: str) -> None:
    rejection = MessageMasker(user_logins, keyset).mask(message(body))

    assert isinstance(rejection, Rejection)
    assert b"6f9619ff-8b86-4011-b42d-000000000001" in pickle.dumps(rejection), "what is there is found"
    for clear in (value for value in LOGIN.values() if len(str(value)) > 2):
        assert str(clear).encode() not in pickle.dumps(rejection)
        assert str(clear) not in repr(rejection)


def test_extra_fields_of_masked_messages_are_counted(user_logins: StreamDefinition, keyset: Keyset) -> None:
    masker = MessageMasker(user_logins, keyset)

    for body in (login(), login(a=1, b=2), login(c=3), login(d=4, user_id=None)):
        masker.mask(message(body))

    assert masker.extra_fields == 3


def test_a_row_that_postgres_refuses_is_kept_sealed_as_it_was(user_logins: StreamDefinition) -> None:
    received = message(login())
    row = MessageMasker(user_logins, opened(7)).mask(received)
    assert isinstance(row, MaskedRow)

    rejection = rejected_by_database(row, "user_logins", "23514 check_violation")

    assert rejection == Rejection(
        Receipt("6f9619ff-8b86-4011-b42d-000000000001", "handle-1"),
        "user_logins",
        Reason.REFUSED_BY_DATABASE,
        "23514 check_violation",
        received.sent_at,
        2,
        7,
        row.sealed_body,
        row.subjects,
    )
    assert MASKER.unseal_body(rejection.sealed_body, *PLACE) == received.body
