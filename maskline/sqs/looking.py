"""Looking at messages of a queue without consuming them: they are received and given back at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import msgspec

from maskline.errors import QueueError
from maskline.records import Receipt, SqsMessage
from maskline.sqs.client import MAX_BATCH_ENTRIES, SqsQueue

HELD_SECONDS = 30
"""How long a message stays hidden where the process that looks at it is killed."""

LOOK_SECONDS = 10.0
"""How long messages are looked for. What is held longer could come back, and be looked at twice."""

_WAIT_SECONDS = 2
_MIN_RECEIVE_COUNT = 2


class Look(msgspec.Struct, frozen=True):
    """The messages of a look into a queue.

    Attributes:
        messages: The messages, each once.
        kept: How many could not be given back at once; they come back after `HELD_SECONDS`.
        max_receives: How often the queue lets a message be received before it moves it to its dead-letter queue, or
            None where it has none. This look was one such time.
    """

    messages: list[SqsMessage]
    kept: int = 0
    max_receives: int | None = None


def look(queue: SqsQueue, count: int, clock: Callable[[], float] = time.monotonic) -> Look:
    """Receive up to a number of messages, and give them back at once.

    *Guarantee*: no message is deleted, and every one is visible again when this returns or raises, or
    `HELD_SECONDS` later. *Warning*: SQS counts each look as a time that the message was received.

    Args:
        queue: The queue.
        count: The most messages; fewer where the queue has no more, or gives out no more in `LOOK_SECONDS`.
        clock: Seconds.

    Raises:
        QueueError: A look would send a message to the dead-letter queue, or access is denied.
        QueueUnavailableError: SQS does not answer.
    """
    max_receives = _max_receives(queue.attributes())
    if max_receives is not None and max_receives < _MIN_RECEIVE_COUNT:
        raise QueueError(
            "queue: moves a message to its dead-letter queue once it was received, so looking at it would lose it "
            "from here; save some messages in a file and give that, or raise maxReceiveCount"
        )
    found: dict[str, SqsMessage] = {}
    kept = 0
    try:
        deadline = clock() + LOOK_SECONDS
        while len(found) < count and clock() < deadline:
            wanted = min(count - len(found), MAX_BATCH_ENTRIES)
            received = queue.receive(wanted, _WAIT_SECONDS, HELD_SECONDS)
            if not received:
                break
            found.update((message.message_id, message) for message in received)
    finally:
        kept = len(queue.extend([Receipt(each.message_id, each.receipt_handle) for each in found.values()], 0))
    return Look(list(found.values()), kept, max_receives)


def _max_receives(attributes: dict[str, str]) -> int | None:
    policy = attributes.get("RedrivePolicy")
    return int(json.loads(policy)["maxReceiveCount"]) if policy else None
