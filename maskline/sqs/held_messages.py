"""The messages of a micro-batch that is being filled, and until when SQS hides them from others."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from maskline.records import Receipt, SqsMessage


class HeldAnswer(msgspec.Struct):
    """The messages of one receive.

    Attributes:
        messages: The messages.
        came_at: When, in monotonic seconds.
        hidden_until: The earliest time at which SQS may give them to somebody else.
        bytes: About how large they are; counted once, here.
    """

    messages: list[SqsMessage]
    came_at: float
    hidden_until: float
    bytes: int = 0

    def __post_init__(self) -> None:
        """Count the bytes."""
        self.bytes = sum([len(message.body) for message in self.messages])

    def split(self, place: int) -> tuple[HeldAnswer, HeldAnswer]:
        """Return the messages before a place, and the others."""
        first, rest = self.messages[:place], self.messages[place:]
        return HeldAnswer(first, self.came_at, self.hidden_until), HeldAnswer(rest, self.came_at, self.hidden_until)

    @property
    def receipts(self) -> list[Receipt]:
        """The receipts by which the messages are deleted, extended or given back."""
        return [Receipt(message.message_id, message.receipt_handle) for message in self.messages]


class HeldMessages:
    """The messages that were received and not yet taken. Not thread-safe."""

    def __init__(self) -> None:
        self.answers: list[HeldAnswer] = []
        self.count = 0
        self.bytes = 0

    def add(self, answer: HeldAnswer) -> None:
        """Add the messages of a receive."""
        self.answers.append(answer)
        self.count += len(answer.messages)
        self.bytes += answer.bytes

    def take(self, max_messages: int, max_bytes: int) -> list[HeldAnswer]:
        """Remove the oldest messages and return them.

        Args:
            max_messages: How many at most.
            max_bytes: Nothing of a further answer is taken once so many bytes are.
        """
        answers = self.take_all()
        taken = HeldMessages()
        for answer in answers:
            room = max_messages - taken.count if taken.bytes < max_bytes else 0
            if room >= len(answer.messages):
                taken.add(answer)
            elif room:
                first, rest = answer.split(room)
                taken.add(first)
                self.add(rest)
            else:
                self.add(answer)
        return taken.answers

    def take_all(self) -> list[HeldAnswer]:
        """Remove all messages and return them."""
        answers, self.answers = self.answers, []
        self.count = self.bytes = 0
        return answers

    def remove(self, gone: Sequence[HeldAnswer]) -> list[HeldAnswer]:
        """Remove some answers, and return those that were still held."""
        removed = []
        for answer in self.take_all():
            if any(answer is other for other in gone):
                removed.append(answer)
            else:
                self.add(answer)
        return removed
