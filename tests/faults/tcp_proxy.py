"""A TCP proxy on loopback that breaks the conversation between a client and a server on demand."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from tests.awaiting import await_until
from tests.faults.points import Direction, Framing, Hold, Point, unframed

READ_BYTES = 65536
LOOK_SECONDS = 0.02


class _Cut(msgspec.Struct):
    point: Point
    times: int
    passed_share: float


class _Held(msgspec.Struct):
    point: Point
    hold: Hold


class TcpProxy:
    """Passes every conversation on as it is, until told otherwise.

    Args:
        connect: Opens a connection to the server.
        framing: Makes what cuts one direction of a conversation into messages.
    """

    def __init__(
        self, connect: Callable[[], socket.socket], framing: Callable[[Direction], Framing] = lambda _: unframed
    ) -> None:
        self._connect = connect
        self.framing = framing
        self._faults: list[_Cut | _Held] = []
        self._lock = threading.Lock()
        self._conversations: list[_Conversation] = []
        self.port = 0
        self.delay_seconds = 0.0
        self.most_bytes_at_once = READ_BYTES
        self.cut_at_byte: tuple[Direction, int] | None = None
        self.cuts = 0
        self.hung = threading.Event()
        self.struck_at: float | None = None

    def __enter__(self) -> TcpProxy:
        """Listen on a free port."""
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, and end every conversation."""
        for fault in self._faults:
            if isinstance(fault, _Held):
                fault.hold.release()
        self.refuse()

    def accept(self) -> None:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.settimeout(LOOK_SECONDS)
        self.port = self._listener.getsockname()[1]
        self._refusing = threading.Event()
        self._acceptor = threading.Thread(target=self._accept_all, name="tcp-proxy", daemon=True)
        self._acceptor.start()

    def refuse(self) -> None:
        """End every conversation, and refuse new ones until `accept`."""
        self._refusing.set()
        self._acceptor.join()
        self._listener.close()
        self.cut()

    def cut(self, *, reset: bool = False) -> None:
        """End every conversation.

        Args:
            reset: Whether both sides get a reset in place of an orderly end.
        """
        with self._lock:
            conversations, self._conversations = self._conversations, []
        for conversation in conversations:
            conversation.end(reset)
        for conversation in conversations:
            conversation.join()

    def await_conversation(self, seconds: float = 60) -> None:
        """Return once a client has come since the last `cut`."""
        await_until(lambda: len(self._conversations) > 0, "a client has connected", seconds)

    def hang(self) -> None:
        """Pass nothing on until `resume`: connections stand, new ones are taken, and whatever comes is acknowledged."""
        self.hung.set()
        self.struck_at = time.time()

    def resume(self) -> None:
        """Pass on again, and first of all what came meanwhile, from those that have gone since, too."""
        self.hung.clear()

    def cut_at(self, point: Point, *, times: int = 1, passed_share: float = 0.0) -> None:
        """Reset the conversations that reach a point.

        Args:
            point: Where.
            times: How many conversations.
            passed_share: How much of the message is still passed on: 0 for none of it.
        """
        with self._lock:
            self._faults.append(_Cut(point, times, passed_share))

    def hold_at(self, point: Point) -> Hold:
        """Let the next conversation that reaches a point stand still there."""
        held = _Held(point, Hold())
        with self._lock:
            self._faults.append(held)
        return held.hold

    def fault_at(self, direction: Direction, message: bytes) -> Hold | float | None:
        """Return what a conversation that reached a message has to do, for one conversation only.

        Args:
            direction: Which way the message goes.
            message: The message.

        Returns:
            A hold to wait for, the share of the message to pass on before the reset, or None to go on.
        """
        with self._lock:
            for fault in self._faults:
                if fault.point.direction is direction and fault.point.matches(message):
                    return self._spend(fault)
        return None

    def count_cut(self) -> None:
        """Count a conversation that a fault has cut."""
        with self._lock:
            self.cuts += 1
            self.struck_at = time.time()

    def _spend(self, fault: _Cut | _Held) -> Hold | float:
        if isinstance(fault, _Held):
            self._faults.remove(fault)
            return fault.hold
        fault.times -= 1
        if fault.times == 0:
            self._faults.remove(fault)
        return fault.passed_share

    def _accept_all(self) -> None:
        while not self._refusing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                server = self._connect()
            except OSError:
                _close(client, reset=True)
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            conversation = _Conversation(self, client, server)
            with self._lock:
                self._conversations.append(conversation)
            conversation.start()


class _Conversation(threading.Thread):
    """One connection of a client, and the proxy's own to the server."""

    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        super().__init__(name="tcp-proxy-conversation", daemon=True)
        self._proxy = proxy
        self._ways = {
            client: (server, Direction.TO_SERVER, proxy.framing(Direction.TO_SERVER)),
            server: (client, Direction.TO_CLIENT, proxy.framing(Direction.TO_CLIENT)),
        }
        self._passed = {Direction.TO_SERVER: 0, Direction.TO_CLIENT: 0}
        self._over = threading.Event()
        self._reset = False

    def end(self, reset: bool) -> None:
        self._reset = reset
        self._over.set()

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._pass_what_came()
        except OSError:
            self._reset = True
        for end in self._ways:
            _close(end, self._reset)

    def _pass_what_came(self) -> None:
        readable, _, _ = select.select(list(self._ways), [], [], LOOK_SECONDS)
        for source in readable:
            target, direction, framing = self._ways[source]
            received = source.recv(READ_BYTES)
            if not received:
                self.end(reset=False)
                return
            for message in framing(received):
                if not self._over.is_set():
                    self._pass(message, target, direction)

    def _pass(self, message: bytes, target: socket.socket, direction: Direction) -> None:
        fault = self._proxy.fault_at(direction, message)
        if isinstance(fault, Hold):
            fault.reached.set()
            while not fault.released.wait(LOOK_SECONDS) and not self._over.is_set():
                pass
            if fault.is_dropped:
                self._cut_by_fault()
        elif fault is not None:
            self._send(message[: int(len(message) * fault)], target, direction)
            self._cut_by_fault()
        if not self._over.is_set():
            self._send(message, target, direction)

    def _send(self, message: bytes, target: socket.socket, direction: Direction) -> None:
        while self._proxy.hung.is_set() and not self._over.wait(LOOK_SECONDS):
            pass
        limit = self._proxy.cut_at_byte
        room = limit[1] - self._passed[direction] if limit and limit[0] is direction else len(message)
        allowed = message[:room]
        for start in range(0, len(allowed), self._proxy.most_bytes_at_once):
            if self._proxy.delay_seconds:
                self._over.wait(self._proxy.delay_seconds)
            target.sendall(allowed[start : start + self._proxy.most_bytes_at_once])
        self._passed[direction] += len(allowed)
        if len(allowed) < len(message):
            self._proxy.cut_at_byte = None
            self._cut_by_fault()

    def _cut_by_fault(self) -> None:
        self._proxy.count_cut()
        self.end(reset=True)


def _close(end: socket.socket, reset: bool) -> None:
    if reset and end.family != socket.AF_UNIX:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def tcp_connection(url: str) -> socket.socket:
    """Connect to the host and port of a URL."""
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    connection = socket.create_connection((address.hostname, address.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return connection
