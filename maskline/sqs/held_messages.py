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
    """

    messages: list[SqsMessage]
    came_at: float
    hidden_until: float

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
        self.bytes += sum(len(message.body) for message in answer.messages)

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
            for held, messages in ((taken, answer.messages[:room]), (self, answer.messages[room:])):
                if messages:
                    held.add(HeldAnswer(messages, answer.came_at, answer.hidden_until))
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
