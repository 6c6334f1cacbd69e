"""What is kept of a message in case it is rejected: its body, and its message attributes where it has any.

A body alone is kept as it is. A message with attributes is kept as JSON behind a NUL, which no body of SQS holds.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

import json

from maskline.records import OutgoingMessage, SqsMessage

_MARK = "\0"


def kept_text(message: SqsMessage) -> str:
    """Return a message as one text, which `kept_message` takes apart again.

    Args:
        message: The message.
    """
    if message.attributes is None:
        return message.body
    kept = {
        "Body": message.body,
        "Attributes": dict(message.attributes),
        "Types": dict(message.attribute_types or {}),
    }
    return _MARK + json.dumps(kept)


def kept_message(text: str) -> OutgoingMessage:
    """Return the message of a text, as it is to be sent again.

    Args:
        text: What `kept_text` returned, or a body.
    """
    if not text.startswith(_MARK):
        return OutgoingMessage(text)
    kept = json.loads(text.removeprefix(_MARK))
    return OutgoingMessage(kept["Body"], kept["Attributes"], kept["Types"])
