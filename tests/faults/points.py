"""Places in a conversation at which a fault strikes, and conversations that stand still at one."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable

import msgspec


class Direction(enum.Enum):
    """Which way bytes go."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


class Point(msgspec.Struct, frozen=True):
    """A named place in a conversation: the moment before a message is passed on.

    Attributes:
        direction: Which way the message goes.
        matches: Says whether it is this message.
    """

    direction: Direction
    matches: Callable[[bytes], bool]


class Hold:
    """A conversation that stands still at a point, until it is released."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()
        self.is_dropped = False

    def await_reached(self, seconds: float = 60) -> None:
        """Return when a conversation stands at the point."""
        assert self.reached.wait(seconds), f"waited {seconds} s in vain until the conversation reached its point"

    def release(self) -> None:
        """Let the conversation go on."""
        self.released.set()

    def drop(self) -> None:
        """End the conversation; what was held never arrives."""
        self.is_dropped = True
        self.released.set()


Framing = Callable[[bytes], list[bytes]]
"""Takes the bytes that came and returns the whole messages among them; keeps the rest."""


def unframed(received: bytes) -> list[bytes]:
    """Take whatever came for a message."""
    return [received]
