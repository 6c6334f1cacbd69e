"""Messages in a file: JSON lines, each a body or a message as SQS gives it, or a whole answer of ReceiveMessage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from maskline.errors import UsageError
from maskline.records import Redacted
from maskline.sqs.message_attributes import text_attributes

_NOT_SO = (msgspec.MsgspecError, UnicodeEncodeError, RecursionError)
"""What msgspec raises for a text that is something else."""


class SampleMessage(Redacted, frozen=True):
    """A message that is looked at and not consumed.

    Attributes:
        body: Its body.
        attributes: Its message attributes as text by name, or None.
    """

    body: str
    attributes: dict[str, str] | None = None

    def __repr__(self) -> str:
        """Say how long the body is, and nothing of it."""
        return f"SampleMessage({len(self.body)} characters)"


class _SqsMessage(msgspec.Struct):
    """A message as SQS and its command line give it."""

    body: str = msgspec.field(name="Body")
    attributes: dict[str, dict[str, object]] | None = msgspec.field(name="MessageAttributes", default=None)


class _Answer(msgspec.Struct):
    """An answer of ReceiveMessage."""

    messages: list[_SqsMessage] = msgspec.field(name="Messages")


def load_messages(path: str) -> list[SampleMessage]:
    """Read the messages of a file; see `parse_messages`.

    Args:
        path: The file.

    Raises:
        UsageError: It cannot be read, or holds no message.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # what is not UTF-8, or no path, is a ValueError
        problem = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageError(f"messages {path}: cannot be read: {problem}") from None
    return parse_messages(text, path)


def parse_messages(text: str, origin: str) -> list[SampleMessage]:
    """Read the messages of a file.

    A line that is an object with ``Body`` is a message with its attributes; any other line is a body, whatever is in
    it. Empty lines are left out. A text that is one object over several lines is one such line.

    Args:
        text: The file's text.
        origin: Where it came from, for the error.

    Raises:
        UsageError: It holds no message.
    """
    text = text.removeprefix("\ufeff")
    messages = _of_answer(text) or list(_of_lines([text.strip()] if _is_object(text) else text.split("\n")))
    if not messages:
        raise UsageError(f"messages {origin}: holds none; write one body a line, or what ReceiveMessage answers")
    return messages


def _of_answer(text: str) -> list[SampleMessage]:
    try:
        return [_sample(message) for message in msgspec.json.decode(text, type=_Answer).messages]
    except _NOT_SO:
        return []


def _is_object(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except _NOT_SO:
        return False
    return True


def _of_lines(lines: Sequence[str]) -> Iterator[SampleMessage]:
    for line in filter(str.strip, lines):
        answered = _of_answer(line)
        if answered:
            yield from answered
            continue
        try:
            yield _sample(msgspec.json.decode(line, type=_SqsMessage))
        except _NOT_SO:
            yield SampleMessage(line.removesuffix("\r"))


def _sample(message: _SqsMessage) -> SampleMessage:
    return SampleMessage(message.body, text_attributes(message.attributes))
