"""Messages that are left in a queue for another consumer: their ids, and how long they are hidden from this one."""

from __future__ import annotations

import threading
from collections.abc import Iterable

MAX_HIDDEN_SECONDS = 60
MAX_REMEMBERED = 100_000


def hidden_seconds(receive_count: int) -> int:
    """Return how long a message that is given back stays hidden.

    At first not at all, for another consumer is to have it. SQS would hand it to this one again and again; so each time
    it comes back it is hidden for twice as long, and visible to both in between.

    Args:
        receive_count: How often it was delivered so far, 1 or more.
    """
    return 0 if receive_count <= 1 else int(min(2 ** min(receive_count - 2, 16), MAX_HIDDEN_SECONDS))


class LeftMessages:
    """The message ids that a run left in its queue, the latest `MAX_REMEMBERED` of them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._message_ids: dict[str, None] = {}

    def add(self, message_ids: Iterable[str]) -> None:
        """Remember messages."""
        with self._lock:
            self._message_ids.update(dict.fromkeys(message_ids))
            for oldest in list(self._message_ids)[: max(0, len(self._message_ids) - MAX_REMEMBERED)]:
                del self._message_ids[oldest]

    def __contains__(self, message_id: str) -> bool:
        """Return whether a message was left."""
        return message_id in self._message_ids

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._message_ids)
