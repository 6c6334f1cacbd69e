"""One thread that drives any number of HTTP requests over libcurl's multi interface.

It waits for the descriptors that libcurl names, and has libcurl look at all of them in one call: `perform` gives the
interpreter away once for all requests, where `socket_action` gives it away once for each, and a thread that gave it
away waits up to 5 ms for it beside one that computes.

Source: https://curl.se/libcurl/c/libcurl-multi.html
"""

from __future__ import annotations

import functools
import logging
import os
import select
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

import pycurl

MAX_WAIT_MILLISECONDS = 1_000
"""How long to wait at most while libcurl names no deadline."""

MAX_BLIND_WAIT_MILLISECONDS = 10
"""The same while it names no descriptor for some request: it resolves a name, or select() takes no more."""

logger = logging.getLogger(__name__)

E = TypeVar("E")
"""What an exchange is to who starts it; the loop only hands it on."""


class Handle:
    """A libcurl handle, which keeps what it was set to from one exchange of its lane to the next.

    Attributes:
        curl: The handle.
        settings: What it was set to beside the body; None at first. It is for who prepares exchanges.
    """

    __slots__ = ("chunks", "curl", "settings")

    def __init__(self, curl: pycurl.Curl) -> None:
        self.curl = curl
        self.settings: object = None
        self.chunks: list[bytes] = []
        curl.setopt(pycurl.WRITEFUNCTION, self.chunks.append)


class CurlLoop(Generic[E]):
    """Makes HTTP requests, many at a time, in one thread of its own. Thread-safe.

    *Guarantee*: every exchange that was started ends, and says so once: by its answer, by one of the deadlines set on
    its handle, or because the loop was closed. Connections are kept alive and used again, each by one exchange at a
    time.

    The thread starts with the first exchange. A loop does not survive a fork: its child must not touch it, or it would
    write into its parent's connections.

    Args:
        new_handle: Makes a handle with everything set that all requests have in common.
        prepare: Sets a handle to an exchange. An exception ends the exchange, as an error of libcurl's.
        on_end: Told how an exchange ended, once: the HTTP status and the body, or 0 and libcurl's error in words.
        connections: The most exchanges of one lane that are under way at the same time, 1 or more.

    `prepare` and `on_end` are called in the loop's thread, which must not be held up.
    """

    def __init__(
        self,
        new_handle: Callable[[], pycurl.Curl],
        prepare: Callable[[Handle, E], None],
        on_end: Callable[[E, int, bytes], None],
        connections: int,
    ) -> None:
        self._new_run = functools.partial(_Run[E], new_handle, prepare, on_end, connections)
        self._lock = threading.Lock()
        self._run: _Run[E] | None = None

    def start(self, exchange: E, lane: int = 0) -> None:
        """Begin an exchange.

        Args:
            exchange: What `prepare` and `on_end` are called with.
            lane: It waits while its lane has as many under way as the loop has connections. A lane has handles of its
                own, so that exchanges which are alike find theirs set already.
        """
        run = self._run
        while run is None or not run.submit(exchange, lane):
            with self._lock:
                if self._run is run:
                    self._run = self._new_run()
                run = self._run

    def close(self, seconds: float = 5) -> None:
        """Close all connections, and end what is in progress with an error; a later exchange opens new connections.

        Args:
            seconds: How long to wait for the thread, at most.
        """
        with self._lock:
            run, self._run = self._run, None
        if run is not None:
            run.close(seconds)


class _Run(Generic[E]):
    """The thread of a loop and what it owns, from its first exchange until it is closed."""

    def __init__(
        self,
        new_handle: Callable[[], pycurl.Curl],
        prepare: Callable[[Handle, E], None],
        on_end: Callable[[E, int, bytes], None],
        connections: int,
    ) -> None:
        self._new_handle = new_handle
        self._prepare = prepare
        self._on_end = on_end
        self._connections = connections
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 4 * connections)
        self._under_way: dict[pycurl.Curl, tuple[Handle, E, _Lane[E]]] = {}
        self._lanes: defaultdict[int, _Lane[E]] = defaultdict(_Lane)
        self._lock = threading.Lock()
        self._submitted: deque[tuple[E, int]] = deque()
        self._is_waiting = False
        self._is_closing = False
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread = threading.Thread(target=self._main, name="sqs-loop", daemon=True)
        self._thread.start()

    def submit(self, exchange: E, lane: int) -> bool:
        """Hand an exchange to the thread; False where it takes no more."""
        with self._lock:
            if self._is_closing:
                return False
            self._submitted.append((exchange, lane))
            self._wake()
            return True

    def close(self, seconds: float) -> None:
        with self._lock:
            self._is_closing = True
            self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _wake(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            os.write(self._wake_writer, b"x")

    def _main(self) -> None:
        try:
            while not self._is_closing:
                self._turn()
        except Exception:
            logger.exception("the loop of the queue's connections failed")
        finally:
            self._end_everything()

    def _turn(self) -> None:
        """Begin what was submitted, go on with what is under way, and wait until there is something to do."""
        while self._submitted:
            self._accept(*self._submitted.popleft())
        if self._under_way:
            self._multi.perform()
            self._finish_exchanges()
        with self._lock:
            if self._submitted or self._is_closing:
                return
            self._is_waiting = True
        self._wait()

    def _accept(self, exchange: E, lane_number: int) -> None:
        lane = self._lanes[lane_number]
        if lane.under_way < self._connections:
            self._begin(exchange, lane)
        else:
            lane.waiting.append(exchange)

    def _begin(self, exchange: E, lane: _Lane[E]) -> None:
        handle = lane.idle.pop() if lane.idle else Handle(self._new_handle())
        try:
            self._prepare(handle, exchange)
        except Exception as error:
            handle.curl.close()
            self._end(exchange, 0, type(error).__name__.encode())  # its text could quote the request or the credentials
            return
        lane.under_way += 1
        self._under_way[handle.curl] = handle, exchange, lane
        self._multi.add_handle(handle.curl)

    def _finish_exchanges(self) -> None:
        _, succeeded, failed = self._multi.info_read()
        for curl in succeeded:
            self._multi.remove_handle(curl)
            handle, exchange, lane = self._under_way.pop(curl)
            body = b"".join(handle.chunks)
            handle.chunks.clear()
            lane.idle.append(handle)
            self._finish(exchange, lane, curl.getinfo(pycurl.RESPONSE_CODE), body)
        for curl, number, _ in failed:
            self._multi.remove_handle(curl)
            _, exchange, lane = self._under_way.pop(curl)
            curl.close()
            self._finish(exchange, lane, 0, b"libcurl error %d" % number)

    def _finish(self, exchange: E, lane: _Lane[E], status: int, body: bytes) -> None:
        lane.under_way -= 1
        while lane.waiting and lane.under_way < self._connections:
            self._begin(lane.waiting.popleft(), lane)
        self._end(exchange, status, body)

    def _end(self, exchange: E, status: int, body: bytes) -> None:
        try:
            self._on_end(exchange, status, body)
        except Exception:
            logger.exception("the end of an exchange with the queue failed")

    def _wait(self) -> None:
        """Wait until a descriptor is ready, a deadline of libcurl's has come, or something was submitted."""
        poller = select.poll()
        poller.register(self._wake_reader, select.POLLIN)
        poller.poll(self._watch(poller) if self._under_way else None)
        with self._lock:
            if not self._is_waiting:
                os.read(self._wake_reader, 1)  # who wakes writes one byte, and says so
            self._is_waiting = False

    def _watch(self, poller: select.poll) -> int:
        """Have the descriptors of all exchanges watched, and return for how many milliseconds at most."""
        reading, writing, _ = self._multi.fdset()
        for descriptor in reading:
            poller.register(descriptor, select.POLLIN)
        for descriptor in writing:
            poller.register(descriptor, select.POLLOUT | (select.POLLIN if descriptor in reading else 0))
        limits = [MAX_WAIT_MILLISECONDS]
        if (milliseconds := self._multi.timeout()) >= 0:
            limits.append(milliseconds)
        if len(reading) + len(writing) < len(self._under_way):
            limits.append(MAX_BLIND_WAIT_MILLISECONDS)
        return min(limits)

    def _end_everything(self) -> None:
        with self._lock:
            self._is_closing = True
            self._is_waiting = False  # nobody shall write into a pipe that is closed
        exchanges = [exchange for _, exchange, _ in self._under_way.values()]
        exchanges += [exchange for lane in self._lanes.values() for exchange in lane.waiting]
        exchanges += [exchange for exchange, _ in self._submitted]
        for curl in self._under_way:
            self._multi.remove_handle(curl)
            curl.close()
        for handle in [handle for lane in self._lanes.values() for handle in lane.idle]:
            handle.curl.close()
        self._multi.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        for exchange in exchanges:
            self._end(exchange, 0, b"closed")


class _Lane(Generic[E]):
    """The exchanges that share one limit, and the handles that were theirs."""

    __slots__ = ("idle", "under_way", "waiting")

    def __init__(self) -> None:
        self.under_way = 0
        self.waiting: deque[E] = deque()
        self.idle: list[Handle] = []
