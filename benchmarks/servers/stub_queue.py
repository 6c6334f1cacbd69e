"""The queue of the stub: SQS's answers, rendered while messages are sent so that receiving them costs next to nothing.

It keeps SQS's JSON protocol: a message that is not deleted becomes visible again when its visibility time-out is over,
and its handle stays the same over all deliveries.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import hashlib
import heapq
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

VISIBILITY_SECONDS = 30
"""What SQS takes where no visibility time-out is given."""


class QueueRequest(msgspec.Struct):
    """What any request may hold; each operation reads its own part."""

    QueueUrl: str = ""
    QueueName: str = ""
    Entries: list[Entry] = []
    MaxNumberOfMessages: int | None = 1
    WaitTimeSeconds: int | None = 0
    VisibilityTimeout: int | None = None
    MessageBody: str = ""
    ReceiptHandle: str = ""


class Entry(msgspec.Struct):
    """One entry of a batch request."""

    Id: str
    MessageBody: str = ""
    ReceiptHandle: str = ""
    VisibilityTimeout: int = VISIBILITY_SECONDS


class Message(msgspec.Struct):
    """One message.

    Attributes:
        rendered: It as the answer of its next receive has it.
        deliveries: How often it was delivered.
        visible_at: When it becomes visible again, while it is in flight.
    """

    rendered: bytes
    deliveries: int = 0
    visible_at: float = 0.0


class StubQueue:
    """One queue in memory.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._waiting: deque[tuple[str, Message]] = deque()
        self._in_flight: dict[str, Message] = {}
        self._times: list[tuple[float, str]] = []

    @property
    def is_empty(self) -> bool:
        """Whether no message waits to be received."""
        self._take_back()
        return not self._waiting

    def send(self, request: QueueRequest) -> bytes:
        """Answer SendMessageBatch."""
        done = [{"Id": entry.Id, **self._add(entry.MessageBody)} for entry in request.Entries]
        return msgspec.json.encode({"Successful": done, "Failed": []})

    def send_one(self, request: QueueRequest) -> bytes:
        """Answer SendMessage."""
        return msgspec.json.encode(self._add(request.MessageBody))

    def receive(self, request: QueueRequest) -> bytes:
        """Answer ReceiveMessage with what there is now."""
        self._take_back()
        return b'{"Messages":[%b]}' % b",".join(self._taken(request))

    def delete(self, request: QueueRequest) -> bytes:
        """Answer DeleteMessageBatch; a handle that was deleted before is deleted, as with SQS."""
        for entry in request.Entries:
            self._in_flight.pop(entry.ReceiptHandle, None)
        return _all_done(request)

    def delete_one(self, request: QueueRequest) -> bytes:
        """Answer DeleteMessage."""
        self._in_flight.pop(request.ReceiptHandle, None)
        return b"{}"

    def extend(self, request: QueueRequest) -> bytes:
        """Answer ChangeMessageVisibilityBatch."""
        for entry in request.Entries:
            self._hide(entry.ReceiptHandle, entry.VisibilityTimeout)
        return _all_done(request)

    def extend_one(self, request: QueueRequest) -> bytes:
        """Answer ChangeMessageVisibility."""
        self._hide(request.ReceiptHandle, request.VisibilityTimeout or 0)
        return b"{}"

    def attributes(self) -> bytes:
        """Answer GetQueueAttributes."""
        self._take_back()
        attributes = {
            "ApproximateNumberOfMessages": str(len(self._waiting)),
            "ApproximateNumberOfMessagesNotVisible": str(len(self._in_flight)),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        return msgspec.json.encode({"Attributes": attributes})

    def _add(self, body: str) -> dict[str, str]:
        message_id = str(uuid.uuid4())
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        sent_at = str(int(self._clock() * 1000))
        message = {
            "MessageId": message_id,
            "ReceiptHandle": message_id,
            "MD5OfBody": digest,
            "Body": body,
            "Attributes": {"SentTimestamp": sent_at, "ApproximateReceiveCount": "1"},
        }
        self._waiting.append((message_id, Message(msgspec.json.encode(message))))
        return {"MessageId": message_id, "MD5OfMessageBody": digest}

    def _taken(self, request: QueueRequest) -> Iterator[bytes]:
        hidden = VISIBILITY_SECONDS if request.VisibilityTimeout is None else request.VisibilityTimeout
        for _ in range(min(request.MaxNumberOfMessages or 1, len(self._waiting))):
            handle, message = self._waiting.popleft()
            message.deliveries += 1
            self._in_flight[handle] = message
            self._hide(handle, hidden)
            yield message.rendered

    def _hide(self, handle: str, seconds: int) -> None:
        message = self._in_flight.get(handle)
        if message is not None:
            message.visible_at = self._clock() + seconds
            heapq.heappush(self._times, (message.visible_at, handle))

    def _take_back(self) -> None:
        """Have those wait again whose visibility time-out is over."""
        now = self._clock()
        while self._times and self._times[0][0] <= now:
            visible_at, handle = heapq.heappop(self._times)
            message = self._in_flight.get(handle)
            if message is not None and message.visible_at == visible_at:  # else it was deleted, or hidden anew
                del self._in_flight[handle]
                document = msgspec.json.decode(message.rendered)
                document["Attributes"]["ApproximateReceiveCount"] = str(message.deliveries + 1)
                message.rendered = msgspec.json.encode(document)
                self._waiting.append((handle, message))


def _all_done(request: QueueRequest) -> bytes:
    return msgspec.json.encode({"Successful": [{"Id": entry.Id} for entry in request.Entries], "Failed": []})
