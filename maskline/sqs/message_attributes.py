"""Message attributes as text, whatever their type in SQS, and in the form in which SQS takes them.

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
_BINARY_VALUE = "BinaryValue"


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


def kept_attributes(texts: Mapping[str, str], types: Mapping[str, str] | None) -> dict[str, dict[str, str]]:
    """Return message attributes by SQS's names, as they are on the wire: bytes in base64.

    Args:
        texts: What `text_attributes` returned.
        types: SQS's DataType of each that is not a ``String``.
    """
    by_type = {name: (types or {}).get(name, STRING) for name in texts}
    return {name: {"DataType": by_type[name], _value_name(by_type[name]): text} for name, text in texts.items()}


def typed_attributes(texts: Mapping[str, str], types: Mapping[str, str] | None) -> dict[str, dict[str, Any]]:
    """Return message attributes as boto3 takes them to send them.

    Args:
        texts: What `text_attributes` returned.
        types: SQS's DataType of each that is not a ``String``.
    """
    return {
        name: {key: base64.b64decode(value) if key == _BINARY_VALUE else value for key, value in attribute.items()}
        for name, attribute in kept_attributes(texts, types).items()
    }


def _value_name(data_type: str) -> str:
    return _BINARY_VALUE if data_type.partition(".")[0] == BINARY else "StringValue"


def _text(value: Mapping[str, Any]) -> str:
    if "StringValue" in value:
        return str(value["StringValue"])
    content = value.get("BinaryValue", b"")
    return base64.b64encode(content).decode() if isinstance(content, bytes) else str(content)
