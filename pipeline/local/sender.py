"""Sending sample messages while jobs run, never far ahead of them: the embedded queue slows down when it is long."""

from __future__ import annotations

import threading

from maskline.errors import MasklineError
from maskline.pipeline.local.directory import LocalDirectory
from maskline.pipeline.local.samples import Samples
from maskline.sqs import SqsQueue

PORTION = 100
MAX_AHEAD = 2000
FOLLOW_SECONDS = 1.0


class SampleSender(threading.Thread):
    """Sends sample messages in the background.

    Args:
        queue: Where to.
        directory: Remembers how far the sequence was sent.
        count: How many to send, or None to send a portion every second until `stopping` is set.
        stopping: When set, sending ends; a failure sets it.
    """

    def __init__(
        self,
        queue: SqsQueue,
        directory: LocalDirectory,
        count: int | None,
        stopping: threading.Event,
    ) -> None:
        super().__init__(name="sample-sender", daemon=True)
        self._queue = queue
        self._directory = directory
        self._count = count
        self._stopping = stopping
        self._samples = Samples()
        self.sent = 0
        self.failure: MasklineError | None = None
        self.is_ahead = threading.Event()

    def run(self) -> None:
        """Send until all are sent, or until asked to stop."""
        try:
            while not self._stopping.is_set() and self._wanted():
                if self._queue.depth().total >= MAX_AHEAD:
                    self.is_ahead.set()
                    self._stopping.wait(0.05)
                    continue
                self._send_portion(self._wanted())
                if self._count is None:
                    self.is_ahead.set()
                    self._stopping.wait(FOLLOW_SECONDS)
        except MasklineError as error:
            self.failure = error
            self._stopping.set()
        finally:
            self.is_ahead.set()

    def _wanted(self) -> int:
        return PORTION if self._count is None else min(PORTION, self._count - self.sent)

    def _send_portion(self, count: int) -> None:
        first = self._directory.claim_samples(count)
        self._queue.send(list(self._samples.bodies(first, count)))
        self.sent += count
