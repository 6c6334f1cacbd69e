"""What the starter of a run and the DoFns of its job share: stop, failure, counts and receipts in flight.

A runner gives no way between the code that starts a job and the DoFns that it unpickles and runs. So a DoFn carries the
run's id: a `RunContext` is pickled as its id, and unpickled as the one of that id in the process. Where the DoFns run
in the starter's process (FnApiRunner, Prism) that is the starter's own; on a remote worker nobody made one, and the
worker's DoFns share one that begins empty: there the runner's own cancel, error text and metrics serve.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator

from maskline.errors import MasklineError
from maskline.postgres.connection import Connection
from maskline.sqs.in_flight import InFlight
from maskline.sqs.left_messages import LeftMessages
from maskline.streams.rejection_share import RejectionShare
from maskline.transforms.movement import Movement
from maskline.transforms.tally import Tally

DEFAULT_RUN_ID = ""
"""The id of the run that transforms belong to where nobody gave them a context."""

_contexts: weakref.WeakValueDictionary[str, RunContext] = weakref.WeakValueDictionary()
"""Every context of this process that somebody holds: a starter, or a DoFn. Nobody has to take one out again."""

_contexts_lock = threading.RLock()


class RunContext:
    """One run of a job in this process. Two runs of one process do not disturb each other. Thread-safe.

    It lasts as long as its starter, or a transform or DoFn that was given it, holds it.

    Args:
        run_id: Its id, which no other context of this process has; a new one if left out.
        tracks_in_flight: Whether receipts are kept while their messages are in flight. Only for a run whose messages
            are received and deleted in one process: elsewhere nobody would take the deleted ones out again.

    Attributes:
        run_id: Its id.
        stopping: Set to end the run in an orderly way: nothing more is received, and what was received is written.
        failure: The first error of ours that failed a bundle, or None.
        tally: The counts of the run so far.
        in_flight: The deliveries that were received and not deleted yet, by queue.
        left: The messages that were left in the queue, for no stream takes them.
        rejection_share: What share of the latest messages is rejected.
        movement: When the run last got anywhere, and how old the messages are that it receives.

    Raises:
        ValueError: There is a context of that id.
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
        with _contexts_lock:
            if self.run_id in _contexts:
                raise ValueError(f"run_id {self.run_id!r} is that of another run of this process")
            _contexts[self.run_id] = self

    @contextlib.contextmanager
    def reporting_failures(self) -> Iterator[None]:
        """Keep an error of ours for the starter of the run: runners turn errors into tracebacks."""
        try:
            yield
        except MasklineError as error:
            if self.failure is None:
                self.failure = error
            raise

    def track_connection(self, connection: Connection) -> None:
        """Count a connection to Postgres for as long as it is open."""
        with self._connections_lock:
            self._connections.add(connection)

    def open_connections(self) -> int:
        """Return how many connections to Postgres the DoFns of the run hold in this process."""
        with self._connections_lock:
            return sum(not connection.closed for connection in self._connections)

    def __reduce__(self) -> tuple[Callable[[str], RunContext], tuple[str]]:
        """Be pickled as the run's id."""
        return run_context, (self.run_id,)

    def __repr__(self) -> str:
        """Name the run."""
        return f"RunContext({self.run_id!r})"


def run_context(run_id: str = DEFAULT_RUN_ID) -> RunContext:
    """Return the context of a run in this process: its starter's, or else the one that its DoFns here share.

    Args:
        run_id: The run's id; by default that of transforms to which nobody gave a context.
    """
    with _contexts_lock:
        return _contexts.get(run_id) or RunContext(run_id)
