"""The three SQS operations that a job calls all the time, and how their answers are read.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class UnreadableAnswerError(Exception):
    """An answer does not have the form of SQS's answers. The message never quotes it."""


class Operation(Generic[T]):
    """One operation of the SQS API.

    Args:
        name: SQS's name, ``ReceiveMessage`` say.
        method: boto3's name for it.
        answer: The type of its answer. What an answer holds beyond that is left out.
    """

    def __init__(self, name: str, method: str, answer: type[T]) -> None:
        self.name = name
        self.method = method
        self._answer = answer
        self._decode = msgspec.json.Decoder(answer, strict=False).decode  # SQS sends numbers as text

    def decode(self, body: bytes) -> T:
        """Read an answer as SQS sends it.

        Raises:
            UnreadableAnswerError: It is not JSON, or not of this shape.
        """
        try:
            text = body.decode()  # msgspec would not look at the bytes of what it leaves out
            try:
                return self._decode(text)
            except msgspec.DecodeError:
                # Half a surrogate pair is no JSON to msgspec, but it is to boto3, and the messages beside it came.
                return self.convert(json.loads(text))
        except ValueError:  # UnicodeDecodeError and JSONDecodeError are, too
            raise UnreadableAnswerError from None

    def convert(self, answer: dict[str, Any]) -> T:
        """Read an answer as boto3 returns it.

        Raises:
            UnreadableAnswerError: The answer does not have the form of this operation's.
        """
        try:
            return msgspec.convert(answer, self._answer, strict=False)
        except msgspec.ValidationError:
            raise UnreadableAnswerError from None


class SystemAttributes(msgspec.Struct, gc=False):
    """What SQS says about a message."""

    SentTimestamp: int
    ApproximateReceiveCount: int


class MessageEntry(msgspec.Struct, gc=False):
    """A message in the answer to ReceiveMessage."""

    MessageId: str
    ReceiptHandle: str
    Body: str
    Attributes: SystemAttributes
    MessageAttributes: dict[str, dict[str, Any]] | None = None


class ReceiveAnswer(msgspec.Struct):
    """The answer to ReceiveMessage."""

    Messages: list[MessageEntry] | None = None


class DoneEntry(msgspec.Struct, gc=False):
    """An entry of a batch that succeeded."""

    Id: str


class FailedEntry(msgspec.Struct, gc=False):
    """An entry of a batch that SQS refused."""

    Id: str
    Code: str | None = None
    SenderFault: bool | None = None


class BatchAnswer(msgspec.Struct):
    """The answer to DeleteMessageBatch and to ChangeMessageVisibilityBatch."""

    Successful: list[DoneEntry] | None = None
    Failed: list[FailedEntry] | None = None


RECEIVE = Operation("ReceiveMessage", "receive_message", ReceiveAnswer)
DELETE = Operation("DeleteMessageBatch", "delete_message_batch", BatchAnswer)
EXTEND = Operation("ChangeMessageVisibilityBatch", "change_message_visibility_batch", BatchAnswer)
