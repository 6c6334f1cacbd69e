"""Message attributes as text, whatever SQS type they have, and as SQS takes them.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

EVERY_ATTRIBUTE = "All"
"""What receiving asks for to be given every attribute that a message has."""

STRING = "String"
BINARY = "Binary"


def text_attributes(attributes: Mapping[str, Mapping[str, Any]] | None) -> dict[str, str] | None:
    """Return message attributes as text by name: strings and numbers as they are, bytes in base64.

    Args:
        attributes: What an answer of ReceiveMessage has as ``MessageAttributes``, or None where it has none. The bytes
            of one of type Binary are bytes to boto3, and base64 on the wire.
    """
    if not attributes:
        return None
    return {name: _text(value) for name, value in attributes.items()}


def attribute_types(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return SQS's DataType of each message attribute by name.

    Args:
        attributes: What an answer of ReceiveMessage has as ``MessageAttributes``.
    """
    return {name: str(value.get("DataType", STRING)) for name, value in attributes.items()}


def typed_attributes(texts: Mapping[str, str], types: Mapping[str, str] | None) -> dict[str, dict[str, Any]]:
    """Return message attributes as SendMessage takes them.

    Args:
        texts: What `text_attributes` returned.
        types: SQS's DataType of each that is not a ``String``.
    """
    return {name: _typed(text, (types or {}).get(name, STRING)) for name, text in texts.items()}


def _typed(text: str, data_type: str) -> dict[str, Any]:
    if data_type.partition(".")[0] == BINARY:
        return {"DataType": data_type, "BinaryValue": base64.b64decode(text)}
    return {"DataType": data_type, "StringValue": text}


def _text(value: Mapping[str, Any]) -> str:
    if "StringValue" in value:
        return str(value["StringValue"])
    content = value.get("BinaryValue", b"")
    return base64.b64encode(content).decode() if isinstance(content, bytes) else str(content)
