"""One thread that drives any number of HTTP requests over libcurl's multi interface.

It waits for the descriptors that libcurl names, and has libcurl look at all of them in one call: `perform` gives the
interpreter away once for all requests, where `socket_action` gives it away once for each, and a thread that gave it
away waits up to 5 ms for it beside one that computes.

Source: https://curl.se/libcurl/c/libcurl-multi.html
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import select
import threading
from collections import defaultdict, deque
from collections.abc import Callable

import pycurl

MAX_WAIT_MILLISECONDS = 1_000
"""How long to wait at most while libcurl names no deadline."""

MAX_BLIND_WAIT_MILLISECONDS = 10
"""The same while it names no descriptor for some request: it resolves a name, or select() takes no more."""

logger = logging.getLogger(__name__)

OnEnd = Callable[[int, bytes], None]
"""Called in the loop's thread with the HTTP status and the body, or with 0 and libcurl's error in words."""


class Exchange:
    """One request and what becomes of it.

    Args:
        prepare: Sets the request's own options on a handle. An exception ends the exchange, as an error of libcurl's.
        on_end: Told how it ended, once.
        lane: The exchange waits while its lane has as many under way as the loop has connections.
    """

    __slots__ = ("lane", "on_end", "prepare")

    def __init__(self, prepare: Callable[[pycurl.Curl], None], on_end: OnEnd, lane: int = 0) -> None:
        self.prepare = prepare
        self.on_end = on_end
        self.lane = lane


class CurlLoop:
    """Makes HTTP requests, many at a time, in one thread of its own. Thread-safe.

    *Guarantee*: every exchange that was started ends, and says so once: by its answer, by one of the deadlines set on
    its handle, or because the loop was closed. Connections are kept alive and used again, each by one exchange at a
    time.

    The thread starts with the first exchange. A loop does not survive a fork: its child must not touch it, or it would
    write into its parent's connections.

    Args:
        new_handle: Makes a handle with everything set that all requests have in common.
        connections: The most exchanges of one lane that are under way at the same time, 1 or more.
    """

    def __init__(self, new_handle: Callable[[], pycurl.Curl], connections: int) -> None:
        self._new_run = functools.partial(_Run, new_handle, connections)
        self._lock = threading.Lock()
        self._run: _Run | None = None

    def start(self, exchange: Exchange) -> None:
        """Begin an exchange; it waits for its turn where its lane is full."""
        run = self._run
        while run is None or not run.submit(exchange):
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


class _Run:
    """The thread of a loop and what it owns, from its first exchange until it is closed."""

    def __init__(self, new_handle: Callable[[], pycurl.Curl], connections: int) -> None:
        self._new_handle = new_handle
        self._connections = connections
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 4 * connections)
        self._idle: list[_Handle] = []
        self._under_way: dict[pycurl.Curl, _Handle] = {}
        self._lanes: defaultdict[int, _Lane] = defaultdict(_Lane)
        self._lock = threading.Lock()
        self._submitted: deque[Exchange] = deque()
        self._is_waiting = False
        self._is_closing = False
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._thread = threading.Thread(target=self._main, name="sqs-loop", daemon=True)
        self._thread.start()

    def submit(self, exchange: Exchange) -> bool:
        """Hand an exchange to the thread; False where it takes no more."""
        with self._lock:
            if self._is_closing:
                return False
            self._submitted.append(exchange)
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
            self._accept(self._submitted.popleft())
        if self._under_way:
            self._multi.perform()
            self._finish_exchanges()
        with self._lock:
            if self._submitted or self._is_closing:
                return
            self._is_waiting = True
        self._wait()

    def _accept(self, exchange: Exchange) -> None:
        lane = self._lanes[exchange.lane]
        if lane.under_way < self._connections:
            self._begin(exchange, lane)
        else:
            lane.waiting.append(exchange)

    def _begin(self, exchange: Exchange, lane: _Lane) -> None:
        handle = self._idle.pop() if self._idle else _Handle(self._new_handle())
        try:
            exchange.prepare(handle.curl)
        except Exception as error:
            handle.curl.close()
            _end(exchange, 0, type(error).__name__.encode())  # its text could quote the request or the credentials
            return
        handle.exchange = exchange
        lane.under_way += 1
        self._under_way[handle.curl] = handle
        self._multi.add_handle(handle.curl)

    def _finish_exchanges(self) -> None:
        _, succeeded, failed = self._multi.info_read()
        for curl in succeeded:
            handle = self._taken_out(curl)
            status = curl.getinfo(pycurl.RESPONSE_CODE)
            body = b"".join(handle.chunks)
            handle.chunks.clear()
            self._idle.append(handle)
            self._finish(handle, status, body)
        for curl, number, _ in failed:
            handle = self._taken_out(curl)
            curl.close()
            self._finish(handle, 0, b"libcurl error %d" % number)

    def _taken_out(self, curl: pycurl.Curl) -> _Handle:
        self._multi.remove_handle(curl)
        return self._under_way.pop(curl)

    def _finish(self, handle: _Handle, status: int, body: bytes) -> None:
        exchange, handle.exchange = handle.exchange, None
        assert exchange is not None
        lane = self._lanes[exchange.lane]
        lane.under_way -= 1
        while lane.waiting and lane.under_way < self._connections:
            self._begin(lane.waiting.popleft(), lane)
        _end(exchange, status, body)

    def _wait(self) -> None:
        """Wait until a descriptor is ready, a deadline of libcurl's has come, or something was submitted."""
        poller = select.poll()
        poller.register(self._wake_reader, select.POLLIN)
        poller.poll(self._watch(poller) if self._under_way else None)
        with self._lock:
            self._is_waiting = False
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_reader, 4096)

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
        handles = list(self._under_way.values())
        waiting = [exchange for lane in self._lanes.values() for exchange in lane.waiting]
        waiting += self._submitted
        for handle in handles:
            self._multi.remove_handle(handle.curl)
        for handle in handles + self._idle:
            handle.curl.close()
        self._multi.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        for exchange in [handle.exchange for handle in handles if handle.exchange] + waiting:
            _end(exchange, 0, b"closed")


class _Handle:
    """A libcurl handle, which keeps what it was set to and its connection."""

    __slots__ = ("chunks", "curl", "exchange")

    def __init__(self, curl: pycurl.Curl) -> None:
        self.curl = curl
        self.chunks: list[bytes] = []
        self.exchange: Exchange | None = None
        curl.setopt(pycurl.WRITEFUNCTION, self.chunks.append)


class _Lane:
    """The exchanges that share one limit."""

    __slots__ = ("under_way", "waiting")

    def __init__(self) -> None:
        self.under_way = 0
        self.waiting: deque[Exchange] = deque()


def _end(exchange: Exchange, status: int, body: bytes) -> None:
    try:
        exchange.on_end(status, body)
    except Exception:
        logger.exception("the end of an exchange with the queue failed")
