"""A message that may be rejected is kept whole: body, message attributes and their types."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from maskline.records import OutgoingMessage, SqsMessage
from maskline.streams.kept_message import kept_message, kept_text


def message(body: str, attributes: dict[str, str] | None, types: dict[str, str] | None) -> SqsMessage:
    """Return a message as it is received."""
    return SqsMessage("id", "handle", body, datetime(2026, 1, 31, tzinfo=UTC), 1, attributes, types)


@pytest.mark.parametrize("body", ["", "{}", "[1", "\ud800", '{"Body": "x"}', "a\nb"])
@pytest.mark.parametrize(
    ("attributes", "types"),
    [
        (None, None),
        ({"tenant": "eu", "n": "3.50", "b": "AP8="}, {"tenant": "String", "n": "Number.x", "b": "Binary"}),
        ({"tenant": "\ud800\x01"}, {"tenant": "String"}),
    ],
)
def test_what_is_kept_is_what_is_sent_again(
    body: str, attributes: dict[str, str] | None, types: dict[str, str] | None
) -> None:
    assert kept_message(kept_text(message(body, attributes, types))) == OutgoingMessage(body, attributes, types)


def test_a_body_without_attributes_is_kept_as_it_is() -> None:
    assert kept_text(message('{"a": 1}', None, None)) == '{"a": 1}'
