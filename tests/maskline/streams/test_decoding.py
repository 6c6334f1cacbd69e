"""Whatever arrives becomes the values of a row or a reason, never a crash, and the reason never repeats a value."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskline.records import Reason
from maskline.streams.decoding import Decoded, MessageDecoder
from maskline.streams.definition import load_stream, parse_stream
from maskline.streams.failures import InvalidValueError
from tests.maskline.logins import LOGIN, login, login_without

USER_LOGINS = MessageDecoder(load_stream("user_logins"))
MEBIBYTE = 2**20


def raw_login(field: str, json_text: str) -> str:
    """Return a login in which one field's value is written as given."""
    return login(**{field: "@"}).replace('"@"', json_text)


def refusal_of(body: str, decoder: MessageDecoder = USER_LOGINS) -> tuple[Reason, str]:
    """Return why a body is refused."""
    with pytest.raises(InvalidValueError) as refusal:
        decoder.decode(body)
    return refusal.value.reason, refusal.value.detail


def test_a_login_becomes_the_values_of_its_row_in_the_order_of_the_columns() -> None:
    decoded = USER_LOGINS.decode(
        '{"user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae", "app_version": "2.3.0", "device_type": "android", '
        '"ip": "199.172.111.135", "locale": "RU", "device_id": "593-47-5928"}'
    )

    assert decoded == Decoded(
        ["424cdd21-063a-43a7-b91b-7ca1a833afae", "android", "199.172.111.135", "593-47-5928", "RU", "2.3.0"], 0
    )


@pytest.mark.parametrize("field", ["ip", "device_id", "locale"])
def test_null_stays_null_where_the_definition_allows_it(field: str) -> None:
    position = {"ip": 2, "device_id": 3, "locale": 4}[field]

    decoded = USER_LOGINS.decode(login(**{field: None}))

    assert decoded.values[position] is None


def test_the_empty_string_is_a_value() -> None:
    decoded = USER_LOGINS.decode(login(ip="", locale=""))

    assert decoded.values[2] == ""
    assert decoded.values[4] == ""


@pytest.mark.parametrize("version", ["2.0", "2.00", "0.2.6", "2", "10.0.0-beta"])
def test_a_version_stays_the_text_it_is(version: str) -> None:
    assert USER_LOGINS.decode(login(app_version=version)).values[5] == version


def test_a_byte_order_mark_in_front_says_nothing() -> None:
    assert USER_LOGINS.decode(f"\ufeff{login()}") == USER_LOGINS.decode(login())


def test_extra_fields_are_counted_and_otherwise_ignored() -> None:
    body = login(session="abc", battery=0.5, nested={"ip": "10.0.0.1", "more": [None, True]})

    decoded = USER_LOGINS.decode(body)

    assert decoded == Decoded(USER_LOGINS.decode(login()).values, 3)


OPTIONAL = """
name = "orders"
table = "orders"
[columns.total]
type = "bigint"
required = false
[columns.%s]
field = "%s"
type = "text"
clear = true
required = false
default = "none"
"""


@pytest.mark.parametrize(
    ("name", "field"), [("note", "note"), ("city", "customer.city"), ("tenant", "attribute:tenant")]
)
@pytest.mark.parametrize("body", ["{}", '{"Type": "Notification", "Message": "{\\"total\\": 1}"}'])
def test_a_message_with_not_one_field_of_the_stream_becomes_no_empty_row(name: str, field: str, body: str) -> None:
    decoder = MessageDecoder(parse_stream(OPTIONAL % (name, field), "orders.toml"))

    with pytest.raises(InvalidValueError, match=r"^not one field of the stream is there$") as rejection:
        decoder.decode(body)

    assert rejection.value.reason is Reason.MISSING_FIELD
    assert decoder.decode('{"total": 1}').values == [1, "none"]


def test_a_body_of_one_mebibyte_is_read() -> None:
    decoded = USER_LOGINS.decode(login(padding="x" * MEBIBYTE))

    assert decoded.extra_fields == 1


def test_decoded_values_are_not_shown() -> None:
    assert repr(USER_LOGINS.decode(login(session="abc"))) == "Decoded(6 values, 1 extra fields)"


ODDITIES = {
    "nothing": ("", Reason.NOT_JSON, "not JSON: Expecting value at character 0"),
    "a sentence": ("hello", Reason.NOT_JSON, "not JSON: Expecting value at character 0"),
    "cut off": (login()[:40], Reason.NOT_JSON, "not JSON: Unterminated string starting at character 12"),
    "two documents": ("{} {}", Reason.NOT_JSON, "not JSON: Extra data at character 3"),
    "two byte order marks": ("\ufeff\ufeff{}", Reason.NOT_JSON, "not JSON: Expecting value at character 0"),
    "a raw control character": (
        '{"ip": "1\n2"}',
        Reason.NOT_JSON,
        "not JSON: Invalid control character at character 9",
    ),
    "an unknown escape": (r'{"ip": "\x31"}', Reason.NOT_JSON, r"not JSON: Invalid \escape at character 8"),
    "arrays 100,000 deep": ("[" * 100_000, Reason.NOT_JSON, "the JSON is nested too deep to read"),
    "objects 100,000 deep": ('{"a":' * 100_000, Reason.NOT_JSON, "the JSON is nested too deep to read"),
    "a field 100,000 deep": (
        raw_login("ip", "[" * 100_000 + "]" * 100_000),
        Reason.NOT_JSON,
        "the JSON is nested too deep to read",
    ),
    "NaN": (raw_login("ip", "NaN"), Reason.NOT_JSON, "NaN is not JSON"),
    "Infinity": (raw_login("ip", "Infinity"), Reason.NOT_JSON, "Infinity is not JSON"),
    "-Infinity": (raw_login("ip", "-Infinity"), Reason.NOT_JSON, "-Infinity is not JSON"),
    "an array": ("[1, 2]", Reason.NOT_AN_OBJECT, "the JSON is an array, not an object"),
    "a string": ('"android"', Reason.NOT_AN_OBJECT, "the JSON is a string, not an object"),
    "a number": ("12", Reason.NOT_AN_OBJECT, "the JSON is an integer, not an object"),
    "null": ("null", Reason.NOT_AN_OBJECT, "the JSON is null, not an object"),
    "a key twice": (
        login()[:-1] + ', "ip": "10.0.0.1"}',
        Reason.DUPLICATE_KEY,
        "a key stands twice in one object, so the message has two meanings",
    ),
    "a key twice further in": (
        raw_login("extra", '[{"a": 1, "a": 1}]'),
        Reason.DUPLICATE_KEY,
        "a key stands twice in one object, so the message has two meanings",
    ),
    "another kind of message": (
        '{"foo": "oops_wrong_msg_type", "bar": "123"}',
        Reason.MISSING_FIELD,
        "fields user_id, device_type, ip, device_id, locale, app_version missing",
    ),
    "one field missing": (login_without("locale"), Reason.MISSING_FIELD, "field locale missing"),
    "null where none may be": (login(user_id=None), Reason.NULL_FIELD, "field user_id is null"),
    "an integer for a string": (
        login(app_version=23),
        Reason.WRONG_TYPE,
        "field app_version is an integer, not a string",
    ),
    "a fraction for a string": (
        login(app_version=2.3),
        Reason.WRONG_TYPE,
        "field app_version is a number, not a string",
    ),
    "true for a string": (login(ip=True), Reason.WRONG_TYPE, "field ip is true or false, not a string"),
    "an array for a string": (login(ip=["10.0.0.1"]), Reason.WRONG_TYPE, "field ip is an array, not a string"),
    "an object for a string": (login(ip={"v4": "10.0.0.1"}), Reason.WRONG_TYPE, "field ip is an object, not a string"),
    "a long name": (login(user_id="x" * 129), Reason.TOO_LONG, "field user_id is longer than 128 characters"),
    "a long locale": (login(locale="x" * 33), Reason.TOO_LONG, "field locale is longer than 32 characters"),
    "an IP whose token does not fit": (
        login(ip="x" * 172),
        Reason.TOO_LONG,
        "field ip is longer than 171 bytes, so its token would not fit masked_ip",
    ),
    "an IP whose token does not fit for its accents": (
        login(ip="é" * 86),
        Reason.TOO_LONG,
        "field ip is longer than 171 bytes, so its token would not fit masked_ip",
    ),
    "a field of one mebibyte": (
        login(ip="x" * MEBIBYTE),
        Reason.TOO_LONG,
        "field ip is longer than 256 characters",
    ),
    "an integer of 5,000 digits": (
        raw_login("ip", "9" * 5_000),
        Reason.OUT_OF_RANGE,
        "the JSON holds an integer of thousands of digits",
    ),
    "1e999": (
        raw_login("ip", "1e999"),
        Reason.OUT_OF_RANGE,
        "the JSON holds a number too large for a double",
    ),
    "-1e999 in an extra field": (
        raw_login("extra", "-1e999"),
        Reason.OUT_OF_RANGE,
        "the JSON holds a number too large for a double",
    ),
    "an exponent that no decimal has": (
        raw_login("ip", "1e-99999999999999999999"),
        Reason.OUT_OF_RANGE,
        "the JSON holds a number whose exponent has too many digits",
    ),
    "zero to a power that no decimal has": (
        raw_login("ip", "0e99999999999999999999"),
        Reason.OUT_OF_RANGE,
        "the JSON holds a number whose exponent has too many digits",
    ),
    "a NUL character": (
        raw_login("ip", r'"a\u0000b"'),
        Reason.INVALID_TEXT,
        "field ip holds a NUL character, which Postgres cannot store",
    ),
    "a lone surrogate, escaped": (
        raw_login("user_id", r'"a\ud800b"'),
        Reason.INVALID_TEXT,
        "field user_id holds a lone surrogate, which is not Unicode text",
    ),
    "a lone surrogate as it is": (
        raw_login("device_id", '"\udfff"'),
        Reason.INVALID_TEXT,
        "field device_id holds a lone surrogate, which is not Unicode text",
    ),
}


@pytest.mark.parametrize(("body", "reason", "detail"), ODDITIES.values(), ids=ODDITIES.keys())
def test_an_oddity_is_refused_with_its_reason_and_never_crashes(body: str, reason: Reason, detail: str) -> None:
    assert refusal_of(body) == (reason, detail)


@pytest.mark.parametrize("ip", ["x" * 171, "é" * 85])
def test_the_longest_value_whose_token_fits_is_taken(ip: str) -> None:
    assert USER_LOGINS.decode(login(ip=ip)).values[2] == ip


def test_an_escaped_surrogate_pair_is_one_character_and_taken() -> None:
    decoded = USER_LOGINS.decode(raw_login("user_id", r'"\ud83d\ude00"'))

    assert decoded.values[0] == "\U0001f600"


def test_a_lone_surrogate_in_a_field_that_nobody_reads_stops_nothing() -> None:
    assert USER_LOGINS.decode(raw_login("extra", r'"\ud800"')).extra_fields == 1


def test_a_number_is_read_digit_by_digit_and_not_as_a_double() -> None:
    decoder = MessageDecoder(parse_stream('name = "o"\ntable = "o"\n[columns.total]\ntype = "numeric"', "o.toml"))

    decoded = decoder.decode('{"total": 12345678901234567890.10}')

    assert str(decoded.values[0]) == "12345678901234567890.10"
    assert type(decoded.values[0]) is Decimal


def test_a_masked_column_without_a_width_takes_any_length() -> None:
    text = 'name = "o"\ntable = "o"\n[columns.email]\ntype = "text"\npii = true'
    decoder = MessageDecoder(parse_stream(text, "o.toml"))

    assert decoder.decode(json.dumps({"email": "x" * 5_000})).values == ["x" * 5_000]


# Planted in keys and values alike: no part of it is a word of any refusal.
PLANTED_TEXT = "Zq7-planted"
PLANTED_DIGITS = "770077"
PLANTED = [
    json.dumps(PLANTED_TEXT),
    json.dumps(PLANTED_TEXT * 12),
    json.dumps(PLANTED_TEXT * 40),
    json.dumps(PLANTED_TEXT + "\0"),
    json.dumps(PLANTED_TEXT + "\ud800"),
    PLANTED_DIGITS,
    PLANTED_DIGITS * 1_000,
    f"{PLANTED_DIGITS}e{PLANTED_DIGITS}",
    f"{PLANTED_DIGITS}e-{PLANTED_DIGITS * 4}",
    f"{PLANTED_DIGITS}.5",
    f'["{PLANTED_TEXT}", NaN]',
    f'{{"{PLANTED_TEXT}": 1, "{PLANTED_TEXT}": 2}}',
    "[" * 10_000 + f'"{PLANTED_TEXT}"' + "]" * 10_000,
]
FRAGMENTS = st.one_of(
    st.sampled_from(PLANTED),
    st.sampled_from(["null", "true", '""', "{}", "-"]),
    st.text(st.characters()).map(json.dumps),
)
CHANGES = st.lists(st.tuples(st.sampled_from([*LOGIN, PLANTED_TEXT]), FRAGMENTS), max_size=2)


@st.composite
def damaged_logins(draw: st.DrawFn) -> str:
    """Draw a login with planted values as text, maybe with a field missing or twice, maybe cut or spliced."""
    changes = draw(CHANGES)
    replaced = {key for key, _ in changes} if draw(st.booleans()) else set()
    fields = [(key, json.dumps(value)) for key, value in LOGIN.items() if key not in replaced]
    text = "{" + ", ".join(f'"{key}": {fragment}' for key, fragment in [*fields, *changes]) + "}"
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.text(st.characters(), max_size=3)) + text[place + draw(st.integers(0, 3)) :]
    return text


def outcome_of(decoder: MessageDecoder, body: str) -> Decoded | InvalidValueError:
    """Return the answer to a body; anything but an answer is an error."""
    try:
        return decoder.decode(body)
    except InvalidValueError as refusal:
        return refusal


@settings(deadline=None)
@given(st.text(st.characters()))
def test_any_text_gets_an_answer(body: str) -> None:
    outcome = outcome_of(USER_LOGINS, body)

    assert isinstance(outcome, InvalidValueError)
    assert outcome.reason in {Reason.NOT_JSON, Reason.NOT_AN_OBJECT, Reason.MISSING_FIELD, Reason.OUT_OF_RANGE}


@pytest.mark.heavy
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged_logins())
def test_any_damaged_login_gets_an_answer_that_repeats_nothing_of_it(body: str) -> None:
    outcome = outcome_of(USER_LOGINS, body)

    shown = f"{outcome!r} {outcome}"
    assert "planted" not in shown
    assert PLANTED_DIGITS not in shown
