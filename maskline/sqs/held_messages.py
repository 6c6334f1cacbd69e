"""The messages of a micro-batch that is being filled, and until when SQS hides them from others."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from maskline.records import Receipt, SqsMessage


class HeldAnswer(msgspec.Struct):
    """What one receive brought.

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
        """What deletes, extends or gives back the messages."""
        return [Receipt(message.message_id, message.receipt_handle) for message in self.messages]


class HeldMessages:
    """What receives have brought and nobody has taken yet. Not thread-safe."""

    def __init__(self) -> None:
        self.answers: list[HeldAnswer] = []
        self.count = 0
        self.bytes = 0

    def add(self, answer: HeldAnswer) -> None:
        """Hold what a receive brought."""
        self.answers.append(answer)
        self.count += len(answer.messages)
        self.bytes += sum(len(message.body) for message in answer.messages)

    def take(self, max_messages: int, max_bytes: int) -> list[HeldAnswer]:
        """Hold the oldest messages no more, and return them.

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
        """Hold nothing any more, and return what was held."""
        answers, self.answers = self.answers, []
        self.count = self.bytes = 0
        return answers

    def remove(self, gone: Sequence[HeldAnswer]) -> list[HeldAnswer]:
        """Hold some answers no more, and return those of them that were held still."""
        removed = []
        for answer in self.take_all():
            if any(answer is other for other in gone):
                removed.append(answer)
            else:
                self.add(answer)
        return removed
