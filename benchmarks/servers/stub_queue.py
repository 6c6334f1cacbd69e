"""The queue of the stub: SQS's answers, rendered while messages are sent so that receiving them costs next to nothing.

It keeps SQS's JSON protocol and none of its faults: no message is ever delivered twice, whatever its visibility.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator

import msgspec


class QueueRequest(msgspec.Struct):
    """What any request may hold; each operation reads its own part."""

    QueueUrl: str = ""
    QueueName: str = ""
    Entries: list[Entry] = []
    MaxNumberOfMessages: int = 1
    WaitTimeSeconds: int = 0


class Entry(msgspec.Struct):
    """One entry of a batch request."""

    Id: str
    MessageBody: str = ""
    ReceiptHandle: str = ""


class StubQueue:
    """One queue in memory.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._waiting: deque[bytes] = deque()
        self._handles: deque[str] = deque()
        self._in_flight: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Whether no message waits to be received."""
        return not self._waiting

    def send(self, request: QueueRequest) -> bytes:
        """Answer SendMessageBatch."""
        sent_at = int(self._clock() * 1000)
        done = []
        for entry in request.Entries:
            message_id = str(uuid.uuid4())
            digest = hashlib.md5(entry.MessageBody.encode(), usedforsecurity=False).hexdigest()
            message = {
                "MessageId": message_id,
                "ReceiptHandle": message_id,
                "MD5OfBody": digest,
                "Body": entry.MessageBody,
                "Attributes": {"SentTimestamp": str(sent_at), "ApproximateReceiveCount": "1"},
            }
            self._waiting.append(msgspec.json.encode(message))
            self._handles.append(message_id)
            done.append({"Id": entry.Id, "MessageId": message_id, "MD5OfMessageBody": digest})
        return msgspec.json.encode({"Successful": done, "Failed": []})

    def receive(self, most: int) -> bytes:
        """Answer ReceiveMessage with what there is now.

        Args:
            most: MaxNumberOfMessages.
        """
        return b'{"Messages":[%b]}' % b",".join(self._taken(most))

    def delete(self, request: QueueRequest) -> bytes:
        """Answer DeleteMessageBatch; a handle that was deleted before is deleted, as with SQS."""
        self._in_flight.difference_update(entry.ReceiptHandle for entry in request.Entries)
        return _all_done(request)

    def extend(self, request: QueueRequest) -> bytes:
        """Answer ChangeMessageVisibilityBatch; nothing ever becomes visible again."""
        return _all_done(request)

    def attributes(self) -> bytes:
        """Answer GetQueueAttributes."""
        attributes = {
            "ApproximateNumberOfMessages": str(len(self._waiting)),
            "ApproximateNumberOfMessagesNotVisible": str(len(self._in_flight)),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        return msgspec.json.encode({"Attributes": attributes})

    def _taken(self, most: int) -> Iterator[bytes]:
        for _ in range(min(most, len(self._waiting))):
            self._in_flight.add(self._handles.popleft())
            yield self._waiting.popleft()


def _all_done(request: QueueRequest) -> bytes:
    return msgspec.json.encode({"Successful": [{"Id": entry.Id} for entry in request.Entries], "Failed": []})
