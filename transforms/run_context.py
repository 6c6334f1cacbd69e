"""What the program that starts a run and the DoFns of its job share: stop, failure, counts and receipts in flight.

A runner pickles DoFns and runs the copies, so that the program which started the job has no reference to them. Hence a
`RunContext` is pickled as the id of its run, and unpickled as the context with that id in the process. Where the DoFns
run in the starter's process (FnApiRunner, Prism), that is the starter's own context. On a remote worker nobody made
one, so its DoFns share a new, empty one, and cancellation, errors and metrics are the runner's own.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Protocol

from maskline.errors import MasklineError
from maskline.futures import in_background
from maskline.postgres.connection import Connection
from maskline.sqs.in_flight import InFlight
from maskline.sqs.left_messages import LeftMessages
from maskline.streams.rejection_share import RejectionShare
from maskline.transforms.movement import Movement
from maskline.transforms.tally import Tally

DEFAULT_RUN_ID = ""
"""The id of the run that transforms belong to which are given no context."""

_contexts: weakref.WeakValueDictionary[str, RunContext] = weakref.WeakValueDictionary()
"""The contexts of this process. One is removed by itself once no starter, transform or DoFn holds it any more."""

_contexts_lock = threading.RLock()


class Keeper(Protocol):
    """What keeps messages from others until it is closed."""

    def close(self) -> None:
        """Give them back; it may be called again."""


class RunContext:
    """One run of a job in this process. Several runs of one process do not disturb each other. Thread-safe.

    A program that starts runs gives the same context to all transforms of one, and holds it to stop the run and to see
    what it has done::

        context = RunContext()
        messages = pipeline | ReadFromSqs("logins", context=context)
        …
        context.stopping.set()

    Args:
        run_id: Its id, which no other context of this process has; a new one if None.
        tracks_in_flight: Whether receipts are kept while their messages are in flight. Only for a run that receives and
            deletes its messages in this process: otherwise the receipts of deleted messages would never be removed.

    Attributes:
        run_id: Its id.
        stopping: Set it to end the run in an orderly way: nothing more is received, and what was received is written.
        failure: The first `MasklineError` that failed a bundle, or None.
        tally: The counts of the run so far.
        in_flight: The deliveries that were received and not deleted yet, by queue.
        left: The messages that were left in the queue because no stream takes them.
        rejection_share: The share of the latest messages that is rejected.
        movement: When the run last made progress, and how old the messages are that it receives.

    Raises:
        ValueError: Another context of this process has that id.
    """

    def __init__(self, run_id: str | None = None, *, tracks_in_flight: bool = False) -> None:
        self.run_id = uuid.uuid4().hex if run_id is None else run_id
        self.stopping = threading.Event()
        self.failure: MasklineError | None = None
        self.tally = Tally()
        self.in_flight = InFlight(is_tracked=tracks_in_flight)
        self.left = LeftMessages()
        self.rejection_share = RejectionShare()
        self.movement = Movement()
        self._connections_lock = threading.Lock()
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._keepers_lock = threading.Lock()
        self._keepers: set[Keeper] = set()
        with _contexts_lock:
            if self.run_id in _contexts:
                raise ValueError(f"run_id {self.run_id!r} is that of another run of this process")
            _contexts[self.run_id] = self

    @contextlib.contextmanager
    def reporting_failures(self) -> Iterator[None]:
        """Keep a `MasklineError` that the block raises for the starter of the run: a runner makes a traceback of it."""
        try:
            yield
        except MasklineError as error:
            if self.failure is None:
                self.failure = error
            raise

    def track_connection(self, connection: Connection) -> None:
        """Count a connection to Postgres in `open_connections` for as long as it is open."""
        with self._connections_lock:
            self._connections.add(connection)

    def open_connections(self) -> int:
        """Return how many connections to Postgres the DoFns of the run have open in this process."""
        with self._connections_lock:
            return sum(not connection.closed for connection in self._connections)

    def track_keeper(self, keeper: Keeper) -> None:
        """Remember what keeps messages from others, until `close_keeper`."""
        with self._keepers_lock:
            self._keepers.add(keeper)

    def close_keeper(self, keeper: Keeper) -> None:
        """Close what keeps messages from others, when its DoFn is torn down."""
        keeper.close()
        with self._keepers_lock:
            self._keepers.discard(keeper)

    def close_keepers(self) -> list[Future[None]]:
        """Begin to close all that the DoFns of the run have open here, and return what ends when that is done.

        A runner may end before it has torn its DoFns down: Prism does, whose worker sees the end of its connection.
        """
        with self._keepers_lock:
            keepers = list(self._keepers)
        return [in_background(keeper.close, "give-back") for keeper in keepers]

    def __reduce__(self) -> tuple[Callable[[str], RunContext], tuple[str]]:
        """Pickle the id of the run alone."""
        return run_context, (self.run_id,)

    def __repr__(self) -> str:
        """Name the run."""
        return f"RunContext({self.run_id!r})"


def run_context(run_id: str = DEFAULT_RUN_ID) -> RunContext:
    """Return the context of a run in this process: that of its starter, or else one that its DoFns here share.

    Args:
        run_id: The id of the run; by default that of transforms which are given no context.
    """
    with _contexts_lock:
        return _contexts.get(run_id) or RunContext(run_id)
