"""The messages of Postgres' protocol, and the points of the job's conversation that faults name.

Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.faults.points import Direction, Framing, Point
from tests.faults.tcp_proxy import TcpProxy

LENGTH_BYTES = 4


class PostgresFraming:
    """Cuts one direction of a conversation, without encryption, into messages.

    Args:
        direction: Which one. A client's first message has no byte for its type.
    """

    def __init__(self, direction: Direction) -> None:
        self._type_bytes = 0 if direction is Direction.TO_SERVER else 1
        self._received = b""

    def __call__(self, received: bytes) -> list[bytes]:
        """Return the messages that are complete now."""
        self._received += received
        messages = []
        while (length := self._first_length()) and len(self._received) >= length:
            messages.append(self._received[:length])
            self._received = self._received[length:]
            self._type_bytes = 1
        return messages

    def _first_length(self) -> int | None:
        head = self._received[self._type_bytes : self._type_bytes + LENGTH_BYTES]
        return self._type_bytes + int.from_bytes(head, "big") if len(head) == LENGTH_BYTES else None


def _framing(direction: Direction) -> Framing:
    return PostgresFraming(direction)


def query_of(text: bytes) -> Point:
    """Return the point before a query that holds a text reaches the server."""
    return Point(Direction.TO_SERVER, lambda message: message.startswith(b"Q") and text in message)


class _ParametersOf:
    """Says of the messages of clients which one brings the parameters of a statement, told by a text in it.

    A statement that was prepared before is named alone, and by names that clients give alike, so their number counts.

    Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._known: set[tuple[bytes, int]] = set()

    def __call__(self, message: bytes) -> bool:
        kind, body = message[:1], message[1 + LENGTH_BYTES :]
        if kind == b"P" and self._text in body:
            name, query, _ = body.split(b"\0", 2)
            self._known.add((name, len(set(re.findall(rb"\$\d+", query)))))
        if kind != b"B":
            return False
        _, name, rest = body.split(b"\0", 2)
        formats = int.from_bytes(rest[:2], "big")
        return (name, int.from_bytes(rest[2 + 2 * formats :][:2], "big")) in self._known


INSERT_SENT = Point(Direction.TO_SERVER, _ParametersOf(b'INSERT INTO "user_logins"'))
"""The job has sent the micro-batch; the server has nothing of it yet."""

REJECTIONS_SENT = Point(Direction.TO_SERVER, _ParametersOf(b'INSERT INTO "rejected_messages"'))
"""The same of a micro-batch of rejections."""


_ROW_OF_AN_INSERT = re.compile(rb"D....\x00\x04.*[0-9A-F]+/[0-9A-F]+", re.DOTALL)
"""Four columns, the last of them a place in the log."""


_IDLE = b"Z\x00\x00\x00\x05I"
"""The server has no transaction under way, and waits for a query."""


class _CompletedInsert:
    """Says of the answers of a server which one completes an insert and its transaction; its row is like no other."""

    def __init__(self) -> None:
        self._has_row = False

    def __call__(self, message: bytes) -> bool:
        if message.startswith(b"D") and _ROW_OF_AN_INSERT.fullmatch(message):
            self._has_row = True
        is_completed = message == _IDLE and self._has_row
        if message.startswith((b"E", b"R")) or message == _IDLE:
            self._has_row = False  # the next answer is another statement's, and the next conversation another test's
        return is_completed


INSERT_COMMITTED = Point(Direction.TO_CLIENT, _CompletedInsert())
"""The server has committed, for it is idle again only then; the job does not know yet."""


def postgres_proxy(dsn: str) -> TcpProxy:
    """Return a proxy in front of a server that listens on a Unix socket."""
    return TcpProxy(postgres_connect(dsn), _framing)


def postgres_connect(dsn: str) -> Callable[[], socket.socket]:
    """Return what connects to a server that listens on a Unix socket."""
    directory = Path(str(conninfo_to_dict(dsn)["host"]))

    def connect() -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(directory / ".s.PGSQL.5432"))
        except OSError:
            server.close()
            raise
        return server

    return connect


def dsn_through(proxy: TcpProxy, dsn: str, user: str = "postgres") -> str:
    """Return the data source name of a database by way of its proxy, which reads no encrypted conversation."""
    return make_conninfo(dsn, host="127.0.0.1", port=proxy.port, user=user, sslmode="disable", gssencmode="disable")
