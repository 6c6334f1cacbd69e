"""A document is read alike however quickly, and refused for a key that stands twice wherever it stands."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError
from maskline.streams.json_text import decode_json

KEYS = st.sampled_from(["a", "b", "ip", "", "{", "[", "é", 'a"', "\\", ":", ","])
VALUES = st.one_of(
    st.text(max_size=5),
    st.sampled_from(['"', '\\"', "{", '{"a":1}', "[", "a"]),
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text(max_size=2), max_size=2),
    st.dictionaries(KEYS, st.text(max_size=2), max_size=2),
)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=5)


def object_of(pairs: list[tuple[str, object]], *, escaped: bool) -> str:
    """Return an object whose keys may stand twice."""
    inner = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=escaped)}" for key, value in pairs)
    return f"{{{', '.join(inner)}}}"


@given(PAIRS, st.booleans())
def test_an_object_is_read_as_pythons_own_reader_reads_it_unless_a_key_stands_twice(
    pairs: list[tuple[str, object]], escaped: bool
) -> None:
    text = object_of(pairs, escaped=escaped)

    if len(dict(pairs)) == len(pairs):
        assert decode_json(text) == json.loads(text, parse_float=Decimal)
    else:
        with pytest.raises(InvalidValueError) as refusal:
            decode_json(text)
        assert refusal.value.reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize("text", ['{"a":"x","a":"x"}', '{"a":1,"a":2}', '{"a":"x","b":1,"a":null}', '{"":1,"":1}'])
def test_a_key_that_stands_twice_is_refused_though_the_object_is_plain(text: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        decode_json(text)

    assert refusal.value.reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ('{"a":1.10}', {"a": Decimal("1.10")}),
        ('{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        ('{"a":-0}', {"a": 0}),
        (' { "a" : "x{[:," } ', {"a": "x{[:,"}),
        ("{}", {}),
        ('"{"', "{"),
    ],
)
def test_every_digit_and_every_character_is_kept(text: str, document: object) -> None:
    decoded = decode_json(text)

    assert decoded == document
    assert str(decoded) == str(document)


@pytest.mark.parametrize(
    "text", ['{"a":"\x01"}', '{"a":NaN}', '{"a":01}', '{"a":1,}', '{"a":1} x', '{\ufeff"a":1}', "{'a':1}", '{"a"}']
)
def test_what_is_not_quite_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        decode_json(text)

    assert refusal.value.reason is Reason.NOT_JSON
