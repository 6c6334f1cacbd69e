"""A local run of a stream of one's own sends the messages of a file, or those that its definition has."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.errors import UsageError
from maskline.pipeline.local.own_messages import own_messages
from maskline.streams.definition import parse_stream
from maskline.streams.stream import StreamDefinition

EXAMPLE = '[[test]]\nbody = \'{"id": 7}\'\nattributes = { tenant = "eu" }\nrow = { id = 7 }\n'


def stream(examples: str = "") -> StreamDefinition:
    return parse_stream(f'name = "orders"\ntable = "orders"\n[columns.id]\ntype = "bigint"\n{examples}', "orders.toml")


def test_the_messages_of_a_file_go_before_the_definitions(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"id": 1}\n{"id": 2}\n')

    sent = own_messages(stream(EXAMPLE), str(tmp_path / "m.jsonl"))

    assert [message.body for message in sent] == ['{"id": 1}', '{"id": 2}']


def test_without_a_file_the_examples_are_sent_with_their_attributes() -> None:
    (message,) = own_messages(stream(EXAMPLE), None)

    assert (message.body, message.attributes) == ('{"id": 7}', {"tenant": "eu"})


def test_a_definition_without_an_example_asks_for_a_file() -> None:
    with pytest.raises(UsageError, match=r"^send: missing; the stream orders has no \[\[test\]\] to send"):
        own_messages(stream(), None)
