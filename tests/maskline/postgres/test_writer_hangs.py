"""What the writer does while the line to the database acknowledges everything and brings no answer."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator

import pytest

from maskline.errors import DatabaseUnavailableError
from maskline.postgres import writer as writing
from maskline.postgres.connection import Connection, connect
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow
from maskline.streams.definition import StreamDefinition
from tests.faults.points import Point
from tests.faults.postgres_wire import INSERT_COMMITTED, INSERT_SENT, dsn_through, postgres_proxy, query_of
from tests.faults.tcp_proxy import TcpProxy
from tests.maskline.postgres.records import message_id, row, value_of

EMPTYING = query_of(b"maskline_empty_old_outcomes")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for an answer for three seconds at most."""
    monkeypatch.setattr(writing, "MIN_ANSWER_SECONDS", 3.0)
    monkeypatch.setattr(writing, "ANSWER_SECONDS", 3.0)


@pytest.fixture
def line(dsn: str) -> Iterator[TcpProxy]:
    """The line to the database, which hangs when told."""
    with postgres_proxy(dsn) as proxy:
        yield proxy


@pytest.fixture
def writer(line: TcpProxy, dsn: str, user_logins: StreamDefinition) -> Iterator[BatchWriter[MaskedRow]]:
    """A writer over that line, which tries once."""
    writer = BatchWriter(
        functools.partial(connect, dsn_through(line, dsn)), InsertRows(user_logins), 0, threading.Event()
    )
    yield writer
    writer.close()


@pytest.mark.parametrize("point", [INSERT_SENT, INSERT_COMMITTED], ids=["in the insert", "at COMMIT"])
def test_a_write_that_gets_no_answer_fails_in_time_and_may_be_made_again(
    line: TcpProxy, writer: BatchWriter[MaskedRow], database: Connection, point: Point
) -> None:
    hold = line.hold_at(point)

    with pytest.raises(DatabaseUnavailableError, match=r"^postgres: an insert got no answer in [3-9] s$"):
        writer.write([row(1), row(2)])
    again = writer.write([row(1), row(2)])
    hold.release()

    assert len(again.committed) == 2
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


def test_connecting_that_gets_no_answer_fails_in_time(line: TcpProxy, writer: BatchWriter[MaskedRow]) -> None:
    line.hang()

    with pytest.raises(DatabaseUnavailableError, match=r"^postgres: connecting got no answer in [3-9] s$"):
        writer.write([row(1)])


def test_a_ledger_whose_emptying_gets_no_answer_costs_no_write(
    line: TcpProxy, writer: BatchWriter[MaskedRow], database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    hold = line.hold_at(EMPTYING)

    first = writer.write([row(1)])
    second = writer.write([row(2)])
    hold.release()

    assert first.inserted | second.inserted == {message_id(1), message_id(2)}
    assert "the ledger's old days were not emptied: DatabaseUnavailableError" in caplog.messages
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


def test_progress_is_what_the_database_has_answered(
    writer: BatchWriter[MaskedRow], line: TcpProxy, caplog: pytest.LogCaptureFixture
) -> None:
    progress: list[None] = []

    writer.write([row(1), row(2, user_id="x" * 129)], on_progress=lambda: progress.append(None))
    answered = len(progress)
    line.hang()
    with pytest.raises(DatabaseUnavailableError):
        writer.write([row(3)], on_progress=lambda: progress.append(None))

    assert answered == 3  # both together, and each alone
    assert len(progress) == 3
