"""The user's own messages, which a local run sends in place of samples."""

from __future__ import annotations

from maskline.errors import UsageError
from maskline.records import OutgoingMessage
from maskline.streams.definition import StreamDefinition
from maskline.streams.message_file import load_messages


def own_messages(stream: StreamDefinition, file: str | None) -> list[OutgoingMessage]:
    """Return the messages of a file, or those that stand in a definition as ``[[test]]``.

    Args:
        stream: The stream.
        file: The file, as ``streams draft`` takes it; None for the definition's.

    Raises:
        UsageError: The file cannot be read, or there is no message.
    """
    if file is not None:
        return [OutgoingMessage(message.body, message.attributes) for message in load_messages(file)]
    if not stream.examples:
        raise UsageError(f"send: missing; the stream {stream.name} has no [[test]] to send, so give --send FILE")
    return [OutgoingMessage(example.body, example.attributes or None) for example in stream.examples]
