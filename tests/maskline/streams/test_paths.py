"""A path finds a value, or that there is none, or that the document is of another shape."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError
from maskline.streams.paths import ABSENT, EVERY, Path, Step

ORDER = json.loads(
    '{"id": 7, "customer": {"email": "Ann@Example.com", "e.mail": "b@x.de", "note": null}, "tags": [],'
    ' "items": [{"sku": "a", "sizes": [1, 2]}, {"sku": "b", "sizes": [3]}, {"sizes": []}]}'
)


def found(path: str, document: object = ORDER) -> object:
    """Return what a path finds."""
    return Path.parse(path).finder()(document)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (".", ()),
        ("email", ("email",)),
        ("e mail", ("e mail",)),
        ("ä-1:*", ("ä-1:*",)),
        ("customer.email", ("customer", "email")),
        ('customer."e.mail"', ("customer", "e.mail")),
        ('"address.street"', ("address.street",)),
        (r'"a\"b\u00e9\\"', ('a"bé\\',)),
        ('""', ("",)),
        ("items[0].sku", ("items", 0, "sku")),
        ("items[*].sizes[10][*]", ("items", EVERY, "sizes", 10, EVERY)),
        ('"a[0]"[0]', ("a[0]", 0)),
    ],
)
def test_a_path_is_read_step_by_step(text: str, steps: tuple[Step, ...]) -> None:
    assert Path.parse(text) == Path(text, steps)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a.", "ends where a name belongs"),
        (".a", "has an empty name; quote a name that holds a dot"),
        ("a..b", "has an empty name; quote a name that holds a dot"),
        ("[0]", "begins with [0], and a record is an object"),
        ("[*].a", "begins with [*], and a record is an object"),
        ("a[-1]", "has a bracket that is neither [0], [1] … nor [*]; quote a name that holds one"),
        ("a[b]", "has a bracket that is neither [0], [1] … nor [*]; quote a name that holds one"),
        ("a]", "has a bracket without its other; quote a name that holds one"),
        ("a.[0]", "has a dot before a bracket; write a[0] without one"),
        ("a[0]b", "needs a dot or a bracket before its character 5"),
        ('"a', "has a quotation mark without its other"),
        ('a"b"', "has a quoted name inside a name; quote the whole name"),
        (r'"\x"', r'"\x" is not a string as JSON writes it'),
    ],
)
def test_a_mistake_in_a_path_is_named(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="path") as mistake:
        Path.parse(text)

    assert str(mistake.value) == f"path {text!r}: {why}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".", ORDER),
        ("id", 7),
        ("customer.email", "Ann@Example.com"),
        ('customer."e.mail"', "b@x.de"),
        ("customer.note", None),
        ("customer.note.text", ABSENT),
        ("customer.phone", ABSENT),
        ("shipping.address.zip", ABSENT),
        ("items[1].sku", "b"),
        ("items[3].sku", ABSENT),
        ("items[*].sku", ["a", "b", ABSENT]),
        ("items[*].sizes", [[1, 2], [3], []]),
        ("items[*].sizes[*]", [1, 2, 3]),
        ("items[*].sizes[0]", [1, 3, ABSENT]),
        ("tags[*]", []),
        ("contacts[*].email", ABSENT),
    ],
)
def test_a_path_finds_the_value_or_that_there_is_none(path: str, value: object) -> None:
    assert found(path) == value


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("id.value", "is an integer, not an object"),
        ("customer.email.domain", "is a string, not an object"),
        ("customer[0]", "is an object, not an array"),
        ("items.sku", "is an array, not an object"),
        ("customer[*].email", "is an object, not an array"),
    ],
)
def test_what_stands_on_the_way_and_cannot_be_entered_is_another_kind_of_message(path: str, why: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        found(path)

    assert refusal.value.reason is Reason.WRONG_TYPE
    assert refusal.value.detail == f"cannot be reached: what stands before its end {why}"


def test_a_path_travels_to_workers_as_it_is() -> None:
    path = Path.parse("items[*].sizes[0]")

    assert pickle.loads(pickle.dumps(path)) == path
    assert pickle.loads(pickle.dumps(path)).finder()(ORDER) == [1, 3, ABSENT]


NAMES = st.sampled_from(["a", "b", "c.d", ""])
STEPS = st.one_of(NAMES, st.integers(0, 2), st.just(EVERY))
PATHS = st.tuples(NAMES, st.lists(STEPS, max_size=4)).map(lambda parts: (parts[0], *parts[1]))
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


def written(steps: tuple[Step, ...]) -> str:
    """Return the text of a path, every name quoted."""
    parts = [json.dumps(step) if isinstance(step, str) else "[*]" if step is EVERY else f"[{step}]" for step in steps]
    return "".join(part if part.startswith("[") else f".{part}" for part in parts).removeprefix(".")


def reference(steps: tuple[Step, ...], document: object) -> object:
    """Return what a path finds, as plainly as it can be said."""
    if not steps:
        return document
    step, rest = steps[0], steps[1:]
    if document is None:
        return ABSENT
    if not isinstance(document, dict if isinstance(step, str) else list):
        raise InvalidValueError(Reason.WRONG_TYPE, "another shape")
    if isinstance(document, dict):
        return reference(rest, document[step]) if step in document else ABSENT
    assert isinstance(document, list)
    if isinstance(step, int):
        return reference(rest, document[step]) if step < len(document) else ABSENT
    results = [reference(rest, element) for element in document]
    if EVERY not in rest:
        return results
    return [one for result in results for one in (result if isinstance(result, list) else [result])]


@settings(max_examples=500, deadline=None)
@given(PATHS, st.dictionaries(NAMES, DOCUMENTS, max_size=4))
def test_any_path_finds_in_any_document_what_its_plain_reading_does(
    steps: tuple[Step, ...], document: dict[str, object]
) -> None:
    path = Path.parse(written(steps))
    assert path.steps == steps

    try:
        expected = reference(steps, document)
    except InvalidValueError:
        with pytest.raises(InvalidValueError):
            path.finder()(document)
    else:
        assert path.finder()(document) == expected
