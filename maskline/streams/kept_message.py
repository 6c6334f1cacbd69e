"""What is kept of a rejected message: its body, and its message attributes if it has any.

A body alone is kept as it is. A message with attributes is kept behind a NUL, which no body of SQS holds, as JSON with
SQS's own names.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

import json

from maskline.records import OutgoingMessage, SqsMessage
from maskline.sqs.message_attributes import attribute_types, kept_attributes, text_attributes

_MARK = "\0"


def kept_text(message: SqsMessage) -> str:
    """Return a message as one text, from which `kept_message` restores it.

    Args:
        message: The message.
    """
    if message.attributes is None:
        return message.body
    return _MARK + json.dumps({"Body": message.body, "MessageAttributes": _attributes_of(message)})


def kept_message(text: str) -> OutgoingMessage:
    """Return the message that `kept_text` made a text of, ready to be sent again.

    Args:
        text: What `kept_text` returned, or a body.
    """
    if not text.startswith(_MARK):
        return OutgoingMessage(text)
    kept = json.loads(text.removeprefix(_MARK))
    attributes = kept["MessageAttributes"]
    return OutgoingMessage(kept["Body"], text_attributes(attributes), attribute_types(attributes))


def _attributes_of(message: SqsMessage | OutgoingMessage) -> dict[str, dict[str, str]]:
    """Return the attributes of a message by SQS's names, as JSON has them.

    Args:
        message: The message.
    """
    return kept_attributes(message.attributes or {}, message.attribute_types)
