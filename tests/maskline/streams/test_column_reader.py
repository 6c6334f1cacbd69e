"""What a source found becomes a value, NULL or a reason; absent and null are two things."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskline.records import Reason
from maskline.streams.decoding import MessageDecoder
from maskline.streams.definition import parse_stream
from maskline.streams.failures import InvalidValueError
from maskline.streams.masking import MessageMasker
from tests.maskline.keysets import opened
from tests.maskline.logins import message

ALWAYS_THERE = '[columns.record]\nfield = "."\ntype = "jsonb"\nclear = true'


def decoder(*column: str) -> MessageDecoder:
    """Return the decoder of a stream with the column v, and another that finds something where v may be absent."""
    other = [ALWAYS_THERE] if "required = false" in "\n".join(column) else []
    lines = ('name = "s"', 'table = "s"', "[columns.v]", *column, *other)
    return MessageDecoder(parse_stream("\n".join(lines), "s.toml"))


def decoded(body: str, *column: str) -> object:
    """Return the value that a column takes from a body."""
    return decoder(*column).decode(body).values[0]


def refusal_of(body: str, *column: str) -> tuple[str, str]:
    """Return why a column takes nothing from a body."""
    with pytest.raises(InvalidValueError) as refusal:
        decoder(*column).decode(body)
    return str(refusal.value.reason), refusal.value.detail


OPTIONAL, NULLABLE, DEFAULT = "required = false", "nullable = true", "required = false\ndefault = 5"


@pytest.mark.parametrize(
    ("rule", "absent", "null"),
    [
        ("", "missing_field", "null_field"),
        (OPTIONAL, None, "null_field"),
        (NULLABLE, "missing_field", None),
        (f"{OPTIONAL}\n{NULLABLE}", None, None),
        (DEFAULT, 5, "null_field"),
        (f"{DEFAULT}\n{NULLABLE}", 5, None),
    ],
)
@pytest.mark.parametrize(("path", "around"), [("a", "{}"), ("a.b", '{"a":{}}'), ("a.b", '{"a":null}')])
def test_an_absent_field_and_null_are_told_apart(
    rule: str, absent: object, null: object, path: str, around: str
) -> None:
    column = ('type = "integer"', f'field = "{path}"', rule)
    with_null = '{"a":null}' if path == "a" else '{"a":{"b":null}}'

    outcomes = [
        refusal_of(body, *column)[0] if isinstance(expected, str) else decoded(body, *column)
        for body, expected in ((around, absent), (with_null, null))
    ]

    assert outcomes == [absent, null]


@pytest.mark.parametrize(
    ("body", "rule", "value"),
    [
        ('{"a":[{"b":1},{"b":2}]}', "", [1, 2]),
        ('{"a":[]}', "", []),
        ('{"a":[{"b":1},{}]}', OPTIONAL, [1, None]),
        ('{"a":[{"b":1},{"b":null}]}', NULLABLE, [1, None]),
        ("{}", OPTIONAL, None),
        ("{}", "required = false\ndefault = [7]", [7]),
        ('{"a":null}', OPTIONAL, None),
    ],
)
def test_an_array_has_what_each_element_has(body: str, rule: str, value: object) -> None:
    assert decoded(body, 'type = "integer[]"', 'field = "a[*].b"', rule) == value


@pytest.mark.parametrize(
    ("body", "rule", "why"),
    [
        ("{}", "", ("missing_field", "field a[*].b missing")),
        ('{"a":[{}]}', "", ("missing_field", "field a[*].b missing in an element")),
        ('{"a":[{"b":null}]}', "", ("null_field", "field a[*].b is null")),
        ('{"a":[{"b":"x"}]}', "", ("wrong_type", "field a[*].b is a string, not an integer")),
        (
            '{"a":{}}',
            "",
            (
                "wrong_type",
                "field a[*].b cannot be reached: what stands before its end is an object, not an array",
            ),
        ),
    ],
)
def test_an_array_of_something_else_is_refused(body: str, rule: str, why: tuple[str, str]) -> None:
    assert refusal_of(body, 'type = "integer[]"', 'field = "a[*].b"', rule) == why


def test_an_array_of_json_is_an_array() -> None:
    assert decoded('{"v":["a","b"]}', 'type = "text[]"', "clear = true") == ["a", "b"]
    assert refusal_of('{"v":"a"}', 'type = "text[]"', "clear = true") == (
        "wrong_type",
        "field v is a string, not an array",
    )
    assert refusal_of('{"v":[["a"]]}', 'type = "text[]"', "clear = true") == (
        "wrong_type",
        "field v is an array, not a string",
    )


@pytest.mark.parametrize(
    ("column", "taken", "refused"),
    [
        (('type = "text"', 'values = ["RU", "DE"]'), '"DE"', '"de"'),
        (('type = "integer"', "values = [1, 2]"), "2", "3"),
        (('type = "numeric"', "values = [1.10]"), "1.1", "1.11"),
        (('type = "text"', 'pattern = "[a-z]{2,8}"'), '"ab"', '"ab\\n"'),
        (('type = "text"', 'pattern = "a|b"'), '"b"', '"bc"'),
        (('type = "text"', 'pattern = "(a+)+b"'), '"aab"', f'"{"a" * 100}"'),
        (('type = "text"', 'pattern = "(.*a)*b"'), '"aab"', f'"{"a" * 100_000}"'),
        (('type = "text[]"', 'pattern = "[a-z]+"'), '["a","b"]', '["a","B"]'),
    ],
)
def test_a_column_in_clear_takes_what_the_definition_allows(column: tuple[str, ...], taken: str, refused: str) -> None:
    assert decoder(*column).decode(f'{{"v":{taken}}}')
    assert refusal_of(f'{{"v":{refused}}}', *column)[0] == "not_allowed"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"v":"7"}', "field v is a string, not an integer"),
        ('{"v":7.0}', "field v is a number, not an integer"),
        ('{"v":true}', "field v is true or false, not an integer"),
    ],
)
def test_a_number_is_of_its_type_unless_a_format_says_otherwise(body: str, detail: str) -> None:
    assert refusal_of(body, 'type = "integer"') == ("wrong_type", detail)


@pytest.mark.parametrize("text", ["", " 7", "+7", "07", "0x7", "7_0", "NaN", "1e", "\u0667"])
def test_a_string_that_holds_no_number_as_json_writes_it_is_none(text: str) -> None:
    assert refusal_of(json.dumps({"v": text}), 'type = "numeric"', 'format = "number"') == (
        "wrong_type",
        "field v is a string that holds no number as JSON writes it",
    )


@pytest.mark.parametrize("text", ["9" * 5000, "1e" + "9" * 30, "1e200000", "1e-20000"])
def test_a_string_that_holds_a_number_of_too_many_digits_is_out_of_range(text: str) -> None:
    assert refusal_of(json.dumps({"v": text}), 'type = "numeric"', 'format = "number"')[0] == "out_of_range"


@pytest.mark.parametrize(
    ("declaration", "json_text", "reason"),
    [
        ("double precision", "1" + "0" * 400, "out_of_range"),
        ("uuid", '"6f9619ff8b864011b42d00c04fc964ff"', "wrong_type"),
        ("uuid", "7", "wrong_type"),
        ("inet", '"203.0.113.256"', "wrong_type"),
        ("inet", '"203.0.113.7/"', "wrong_type"),
        ("inet", '"203.0.113.7/33"', "wrong_type"),
        ("inet", '"203.0.113.7/255.255.255.0"', "wrong_type"),
        ("inet", '"fe80::1%eth0"', "wrong_type"),
        ("inet", "1", "wrong_type"),
        ("bytea", '"a"', "wrong_type"),
        ("bytea", '"é"', "wrong_type"),
        ("jsonb", r'{"a":"\u0000"}', "invalid_text"),
        ("jsonb", r'["\ud800"]', "invalid_text"),
        ("smallint", "32768", "out_of_range"),
    ],
)
def test_a_value_that_the_type_cannot_hold_is_refused(declaration: str, json_text: str, reason: str) -> None:
    assert refusal_of(f'{{"v":{json_text}}}', f'type = "{declaration}"', "clear = true")[0] == reason


def test_the_whole_record_may_be_a_document() -> None:
    whole = decoded('{"a":1.50,"b":[null,"x"]}', 'type = "jsonb"', "clear = true", 'field = "."')

    assert whole == '{"a":1.50,"b":[null,"x"]}'


def test_a_backslash_before_what_looks_like_nul_is_none() -> None:
    assert decoded(r'{"v":"\\u0000"}', 'type = "jsonb"', "clear = true") == r'"\\u0000"'


COLUMNS = [
    (declaration, decision, rule, written)
    for declaration, decision, written in [
        ("text", "pii = true", 'format = "text"'),
        ("varchar(40)", "pii = true", ""),
        ("varchar(9)", "clear = true", ""),
        ("text[]", "pii = true", ""),
        ("smallint", "", ""),
        ("numeric(9, 2)", "", 'format = "number"'),
        ("double precision", "", ""),
        ("boolean[]", "", ""),
        ("timestamptz", "", ""),
        ("timestamptz", "", 'format = "epoch_ms"'),
        ("date", "", ""),
        ("uuid", "", ""),
        ("inet", "clear = true", ""),
        ("bytea", "clear = true", ""),
        ("jsonb", "clear = true", ""),
    ]
    for rule in ("", OPTIONAL, NULLABLE)
]
NAMES = st.sampled_from(["a", "b", "v"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=50),
    st.sampled_from(["2026-01-31", "2026-01-31T12:00:00Z", "1e5", "203.0.113.7", "AP8="]),
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3))
)
STEPS = st.one_of(NAMES.map(".{}".format), st.sampled_from(["[0]", "[1]", "[*]"]))
PATHS = st.tuples(NAMES, st.lists(STEPS, max_size=3).map("".join)).map("".join)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, DOCUMENTS, max_size=3), PATHS, st.sampled_from(COLUMNS))
def test_any_document_and_any_path_have_one_outcome(
    document: dict[str, object], path: str, column: tuple[str, ...]
) -> None:
    declaration, *lines = column
    if "*" in path and declaration != "jsonb":
        declaration = f"{declaration.removesuffix('[]')}[]"
    text = "\n".join((f'[columns.v]\ntype = "{declaration}"\nfield = "{path}"', *lines))
    masker = MessageMasker(parse_stream(f'name = "s"\ntable = "s"\n{text}', "s.toml"), opened(7))

    outcome = masker.mask(message(json.dumps(document)))

    assert getattr(outcome, "reason", None) is not Reason.UNEXPECTED, outcome


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_the_nearest_to_its_digits(number: float) -> None:
    found = decoded(json.dumps({"v": number}), 'type = "double precision"')

    assert isinstance(found, float)
    assert math.isclose(found, number, rel_tol=0, abs_tol=0)
