"""An example that is made up for a drafted definition becomes a row of it, and holds no value of its messages."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from maskline.drafting.draft import draft_definition
from maskline.drafting.example import example_as_toml, example_message
from maskline.drafting.records import Wish
from maskline.errors import UsageError
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.message_file import SampleMessage
from maskline.streams.trial import failed_examples
from tests.maskline.streams.shapes import Objects, in_eventbridge, in_sns

ORDER = {
    "id": 71234,
    "kind": "OrderPlaced",
    "customer": {"email": "ann@example.com", "vip": False},
    "items": [{"sku": "a-77", "qty": 2, "tags": ["new"]}],
    "phones": ["+49 170 1234567"],
    "price": 12.75,
    "small": 1e-20000,
    "placed": 1769947200123,
    "at": "2026-02-01T09:30:00Z",
    "day": "2026-02-01",
    "trace": "6f9619ff-8b86-4011-b42d-00c04fc964ff",
    "by_user": {"10001": {"n": 1}, "10002": {"n": 2}},
}
BODY = json.dumps(ORDER)
VALUES = ("71234", "ann@", "a-77", "1234567", "12.75", "1769947200", "2026-02-01", "6f9619ff", "10001")


def drafted(body: str, *, match: str = "", attributes: dict[str, str] | None = None) -> StreamDefinition:
    """Return the definition that is drafted from one message."""
    wishes = [Wish.parse(match)] if match else []
    return parse_stream(draft_definition([SampleMessage(body, attributes)], "orders", wishes, Objects()).text, "draft")


def test_the_example_of_a_nested_order_is_spelled_out() -> None:
    message = example_message(drafted('{"id":8,"customer":{"email":"ann@example.com"},"items":[{"qty":2}],"gone":[]}'))

    assert json.loads(message.body) == {
        "id": 7,
        "customer": {"email": "example of email"},
        "items": [{"qty": 7}],
    }


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        in_sns(BODY),
        in_eventbridge(BODY),
        f'{{"specversion":"1.0","id":"1","source":"a","type":"t","data":{BODY}}}',
        base64.b64encode(BODY.encode()).decode(),
        base64.b64encode(gzip.compress(BODY.encode(), mtime=0)).decode(),
        in_sns(base64.b64encode(BODY.encode()).decode()),
        f'{{"payload":{{"after":{BODY}}}}}',
        '{"10001":{"n":1},"10002":{"n":2}}',
    ],
    ids=["plain", "sns", "eventbridge", "cloudevents", "base64", "gzip", "base64 in sns", "root", "a map"],
)
def test_it_becomes_a_row_however_the_messages_are_packed(body: str) -> None:
    stream = drafted(body)

    message = example_message(stream)

    text = example_as_toml(stream, message)
    with_example = f"{draft_definition([SampleMessage(body)], 'orders', (), Objects()).text}\n{text}"
    assert failed_examples(parse_stream(with_example, "draft")) == []
    assert len(parse_stream(with_example, "draft").examples[0].row) == len(stream.columns)
    assert [value for value in VALUES if value in text] == []


def test_it_has_what_match_wants_and_the_attributes_that_are_columns() -> None:
    stream = drafted(BODY, match="kind=OrderPlaced", attributes={"tenant": "acme", "level": "3"})

    message = example_message(stream)

    assert json.loads(message.body)["kind"] == "OrderPlaced"
    assert message.attributes == {"tenant": "example of tenant", "level": "example of level"}
    assert "[test.attributes]" in example_as_toml(stream, message)


def test_what_only_s3_can_hold_is_one_line() -> None:
    packed = 'name = "o"\ntable = "o"\n[message]\nenvelope = ["s3-pointer"]\ndecode = ["gzip"]\n'
    stream = parse_stream(f'{packed}[columns.id]\ntype = "bigint"\n', "o.toml")

    with pytest.raises(UsageError, match=r"^messages: what they point to in S3 is packed as no message can be"):
        example_message(stream)
