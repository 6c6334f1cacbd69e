"""One message, one outcome, even where two workers decide it differently at the same moment."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

from maskline.postgres.connection import Connection, connect
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.streams.definition import StreamDefinition
from tests.awaiting import await_until
from tests.maskline.postgres.records import rejection, row, run, value_of

HELD_BY_THE_TEST = 4711


def test_a_row_and_a_rejection_of_one_message_at_the_same_moment_never_both_stay(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    run(
        database,
        f"""
        SELECT pg_advisory_lock({HELD_BY_THE_TEST});
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_xact_lock_shared({HELD_BY_THE_TEST}); RETURN NEW; END';
        CREATE TRIGGER wait BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION wait()
        """,
    )
    connecting, never = functools.partial(connect, dsn), threading.Event()
    rows = BatchWriter(connecting, InsertRows(user_logins), 30, never)
    rejections = BatchWriter(connecting, InsertRejections(), 30, never)

    with ThreadPoolExecutor(2) as workers:
        writing_row = workers.submit(rows.write, [row(1)])
        await_until(lambda: _waiting(database) == 1, "the row is being inserted")
        writing_rejection = workers.submit(rejections.write, [rejection(1)])
        await_until(lambda: _waiting(database) == 2 or writing_rejection.done(), "the rejection has begun")
        run(database, f"SELECT pg_advisory_unlock({HELD_BY_THE_TEST})")
        inserted = [writing_row.result().inserted, writing_rejection.result().inserted]

    assert sorted(map(len, inserted)) == [0, 1]
    assert value_of(database, "SELECT count(*) FROM user_logins") == 1
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 0
    rows.close()
    rejections.close()


def _waiting(database: Connection) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    return int(value_of(database, query))
