"""Of several streams on one queue the first whose [match] holds takes a message, and each message has one outcome."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.errors import PayloadUnavailableError, StreamDefinitionError
from maskline.records import MaskedRow, Payload, Reason, Rejection, SqsMessage
from maskline.streams.definition import parse_stream
from maskline.streams.masking import MessageMasker
from maskline.streams.stream_set import StreamSet, StreamSetMasker
from tests.maskline.keysets import opened
from tests.maskline.streams.shapes import in_sns, pointer


def stream_text(name: str, match: str = "", message: str = "") -> str:
    """Return the definition of a stream with a column."""
    return (
        f'name = "{name}"\ntable = "{name}"\n[columns.v]\ntype = "integer"\n'
        + (f"[match]\n{match}\n" if match else "")
        + (f"[message]\n{message}\n" if message else "")
    )


ORDERS = stream_text("orders", '"kind" = ["placed", "changed"]\n"attribute:tenant" = "eu"')
CLICKS = stream_text("clicks", '"envelope:Type" = "Notification"\n"meta.version" = 2', 'envelope = ["sns"]')
OTHERS = stream_text("others")


def masker(*texts: str, leaves_unmatched: bool = False) -> StreamSetMasker:
    """Return the masker of a queue."""
    streams = StreamSet(tuple(parse_stream(text, "test.toml") for text in texts))
    return StreamSetMasker(streams, opened(7), leaves_unmatched=leaves_unmatched)


def message(body: str, **attributes: str) -> SqsMessage:
    """Return a message."""
    return SqsMessage("id", "handle", body, datetime(2026, 1, 31, tzinfo=UTC), 1, attributes)


def outcome(streams: StreamSetMasker, body: str, **attributes: str) -> tuple[str, object] | None:
    """Return the stream that a message went to, and its values or the reason of its rejection."""
    found = streams.mask(message(body, **attributes))
    if found is None:
        return None
    return found.stream, found.values if isinstance(found, MaskedRow) else str(found.reason)


PLACED = '{"kind":"placed","v":1}'
CLICK = in_sns('{"meta":{"version":2},"v":3}')


@pytest.mark.parametrize(
    ("body", "attributes", "taken"),
    [
        (PLACED, {"tenant": "eu"}, ("orders", (1,))),
        ('{"kind":"changed","v":2}', {"tenant": "eu"}, ("orders", (2,))),
        (PLACED, {"tenant": "us"}, ("-", "no_stream")),
        (PLACED, {}, ("-", "no_stream")),
        ('{"kind":["placed"],"v":1}', {"tenant": "eu"}, ("-", "no_stream")),
        ('{"v":1}', {"tenant": "eu"}, ("-", "no_stream")),
        ('{"kind":"placed","v":"x"}', {"tenant": "eu"}, ("orders", "wrong_type")),
        (CLICK, {}, ("clicks", (3,))),
        (in_sns('{"meta":{"version":"2"},"v":3}'), {}, ("-", "no_stream")),
        (in_sns('{"meta":{"version":true},"v":3}'), {}, ("-", "no_stream")),
        (in_sns('{"meta":"x","v":3}'), {}, ("-", "no_stream")),
        ("hello", {}, ("-", "not_json")),
        ("[1]", {}, ("-", "not_an_object")),
    ],
)
def test_the_first_stream_whose_conditions_all_hold_takes_a_message(
    body: str, attributes: dict[str, str], taken: tuple[str, object]
) -> None:
    assert outcome(masker(ORDERS, CLICKS), body, **attributes) == taken


def test_a_stream_without_conditions_takes_what_is_left_and_answers_for_it() -> None:
    streams = masker(ORDERS, OTHERS)

    assert outcome(streams, PLACED, tenant="eu") == ("orders", (1,))
    assert outcome(streams, PLACED) == ("others", (1,))
    assert outcome(streams, "hello") == ("others", "not_json")


def test_of_two_streams_that_fit_the_first_takes_a_message() -> None:
    both = [stream_text(name, '"kind" = "placed"') for name in ("first", "second")]

    assert outcome(masker(*both), PLACED) == ("first", (1,))
    assert outcome(masker(*reversed(both)), PLACED) == ("second", (1,))


@pytest.mark.parametrize("body", [PLACED, "hello", "[1]"])
def test_a_message_that_no_stream_takes_is_left_where_that_is_asked_for(body: str) -> None:
    assert outcome(masker(ORDERS, CLICKS, leaves_unmatched=True), body) is None


def test_what_a_stream_takes_and_cannot_read_is_rejected_and_never_left() -> None:
    streams = masker(ORDERS, leaves_unmatched=True)

    assert outcome(streams, '{"kind":"placed","v":"x"}', tenant="eu") == ("orders", "wrong_type")


def test_a_stream_that_is_alone_rejects_what_is_not_its_own() -> None:
    found = MessageMasker(parse_stream(ORDERS, "test.toml"), opened(7)).mask(message(PLACED))

    assert isinstance(found, Rejection)
    assert (found.stream, found.reason, found.detail) == (
        "orders",
        Reason.NO_STREAM,
        "[match] of the stream orders does not hold",
    )


def test_extra_fields_of_all_streams_are_counted() -> None:
    streams = masker(ORDERS, OTHERS)

    streams.mask(message('{"kind":"placed","v":1,"a":1}', tenant="eu"))
    streams.mask(message('{"v":1,"b":1,"c":1}'))

    assert streams.extra_fields == 3


def test_the_attributes_that_receiving_asks_for_are_those_of_all_streams() -> None:
    tenants = stream_text("tenants", '"attribute:region" = "x"')
    streams = StreamSet(tuple(parse_stream(text, "test.toml") for text in (ORDERS, tenants)))

    assert streams.attribute_names == {"tenant", "region"}
    assert not streams.fetches_payloads


def test_an_object_is_fetched_once_for_all_streams_and_a_store_that_fails_ends_the_job() -> None:
    class Store:
        fetches = 0

        def fetch(self, payload: Payload, max_bytes: int) -> bytes:
            self.fetches += 1
            if payload.key == "away":
                raise PayloadUnavailableError("s3: away")
            return b'{"kind":"b","v":1}'

    store = Store()
    texts = [stream_text(name, f'"kind" = "{name}"', 'envelope = ["s3-pointer"]') for name in ("a", "b")]
    streams = StreamSet(tuple(parse_stream(text, "test.toml") for text in texts))
    pointed = StreamSetMasker(streams, opened(7), store)

    assert outcome(pointed, pointer("there")) == ("b", (1,))
    assert store.fetches == 1
    with pytest.raises(PayloadUnavailableError):
        pointed.mask(message(pointer("away")))


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ((), "streams: none is given"),
        ((ORDERS, ORDERS), "stream orders: is given twice"),
        (
            (OTHERS, ORDERS),
            "stream others: has no [match], so it takes every message and the streams after it none; write one, or "
            "give it last",
        ),
    ],
)
def test_a_stream_that_could_never_have_a_message_is_refused(texts: tuple[str, ...], why: str) -> None:
    with pytest.raises(StreamDefinitionError) as refusal:
        masker(*texts)

    assert str(refusal.value) == why


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["placed", "eu"])),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.sampled_from(["kind", "v", "meta", "version", "a"]), inner)
    ),
)


@settings(max_examples=300, deadline=None)
@given(JSON, st.booleans(), st.booleans())
def test_any_document_has_one_outcome(document: object, is_wrapped: bool, is_left: bool) -> None:
    body = in_sns(json.dumps(document)) if is_wrapped else json.dumps(document)

    found = masker(ORDERS, CLICKS, leaves_unmatched=is_left).mask(message(body, tenant="eu"))

    assert isinstance(found, MaskedRow | Rejection) or (found is None and is_left)
    assert not isinstance(found, Rejection) or found.reason is not Reason.UNEXPECTED
