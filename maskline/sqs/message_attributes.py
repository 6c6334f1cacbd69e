"""Message attributes as text, whatever SQS type they have.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any


def text_attributes(attributes: Mapping[str, Mapping[str, Any]] | None) -> dict[str, str] | None:
    """Return message attributes as text by name: strings and numbers as they are, bytes in base64.

    Args:
        attributes: What an answer of ReceiveMessage has as ``MessageAttributes``, or None where it has none. The bytes
            of one of type Binary are bytes to boto3, and base64 on the wire.
    """
    if not attributes:
        return None
    return {name: _text(value) for name, value in attributes.items()}


def _text(value: Mapping[str, Any]) -> str:
    if "StringValue" in value:
        return str(value["StringValue"])
    content = value.get("BinaryValue", b"")
    return base64.b64encode(content).decode() if isinstance(content, bytes) else str(content)
