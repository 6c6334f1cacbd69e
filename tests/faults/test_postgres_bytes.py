"""The conversation with Postgres cut at one byte after another, in either direction."""

from __future__ import annotations

import functools
import threading

import pytest

from maskline.postgres.connection import Connection, connect
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.streams.definition import StreamDefinition
from tests.faults.points import Direction
from tests.faults.postgres_wire import dsn_through, postgres_proxy
from tests.maskline.postgres.records import message_id, row, rows_of, run

STEPS = {Direction.TO_SERVER: 67, Direction.TO_CLIENT: 23}
"""Coprime to the sizes of messages, so that cuts fall into heads, lengths and bodies alike."""


@pytest.mark.slow
@pytest.mark.parametrize("direction", Direction)
def test_wherever_a_conversation_is_cut_each_row_is_there_once(
    dsn: str, database: Connection, user_logins: StreamDefinition, direction: Direction
) -> None:
    rows = [row(number) for number in range(3)]
    cuts = 0
    with postgres_proxy(dsn) as proxy:
        connecting = functools.partial(connect, dsn_through(proxy, dsn))
        while proxy.cuts == cuts:
            proxy.cut_at_byte = (direction, cuts * STEPS[direction])
            writer = BatchWriter(connecting, InsertRows(user_logins), 60, threading.Event())

            outcome = writer.write(rows)
            writer.close()

            assert outcome.committed == rows
            assert rows_of(database, "SELECT message_id::text FROM user_logins ORDER BY message_id") == [
                (message_id(number),) for number in range(3)
            ]
            run(database, "TRUNCATE user_logins, maskline_outcomes")
            cuts += 1
            if proxy.cut_at_byte is not None:
                break

    assert cuts > 10
