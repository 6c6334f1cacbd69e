"""Tables as they are found in the field: odd names, huge bodies, constraints, row security, or no table at all."""

from __future__ import annotations

import functools
import threading

import pytest

from maskline.errors import DatabaseError, DatabaseUnavailableError
from maskline.keys import open_keyset
from maskline.postgres.connection import Connection, open_connection
from maskline.postgres.ddl import create_table
from maskline.postgres.remask import Remasker, Step
from maskline.postgres.remask_statements import RemaskedTable, rejections_table, stream_table
from maskline.streams.definition import StreamDefinition, parse_stream
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, opened, reference_token, stored
from tests.maskline.logins import login
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import connected, message_id, rows_of, run, value_of
from tests.maskline.stored_tokens import stored_values

OLD = opened(7)
STORED = stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8)
ROTATED = open_keyset(STORED)
BIRTHS = """
name = "births"
table = "births"
[columns.place]
type = "text"
pii = true
[columns.partition]
type = "text"
pii = true
"""


def remasker(dsn: str, table: RemaskedTable, role: str = "maskline_remasker") -> Remasker:
    """Return what re-encrypts a table with the permissions of a role."""
    connecting = functools.partial(open_connection, dsn, options=f"-c role={role}")
    return Remasker(connecting, table, ROTATED, threading.Event(), retry_seconds=0)


def total(steps: list[Step]) -> Step:
    """Return what steps did together."""
    return Step(sum(step.remasked for step in steps), [row for step in steps for row in step.not_remasked])


def test_columns_may_be_called_anything(dsn: str, database: Connection) -> None:
    births = parse_stream(BIRTHS, "test")
    tokens = [reference_token(KEY, 7, "Ulm", f"births.{column}") for column in ("place", "partition")]
    run(database, create_table(births))
    run(
        database,
        "INSERT INTO births (place, partition, create_date, message_id, sent_at, key_id)"
        " VALUES (%s, %s, now(), %s, now(), 7)",
        [*tokens, message_id(1)],
    )

    done = total(list(remasker(dsn, stream_table(births, ROTATED)).run()))

    assert done == Step(1, [])
    assert rows_of(database, "SELECT place, partition FROM births") == [
        tuple(reference_token(OTHER_KEY, 8, "Ulm", f"births.{column}") for column in ("place", "partition"))
    ]


def test_bodies_of_a_mebibyte_are_kept_whole_and_taken_a_few_at_a_time(dsn: str) -> None:
    bodies = [f"{number}" + "ä" * 524_000 for number in range(10)]
    write_masked(dsn, OLD, bodies)

    steps = list(remasker(dsn, rejections_table(ROTATED)).run())

    assert [step.remasked for step in steps if step.remasked] == [8, 2]
    kept = stored_values(dsn, STORED)["rejected_messages.body"]
    assert sorted(kept) == sorted(body.encode() for body in bodies)


def test_a_row_that_a_constraint_refuses_is_named_and_the_others_are_re_encrypted(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    write_masked(dsn, ROTATED, [login(device_id="once")])
    write_masked(dsn, OLD, [login(device_id="once"), *(login(device_id=f"{number}") for number in range(5))])
    run(database, "CREATE UNIQUE INDEX ON user_logins (masked_device_id)")

    done = total(list(remasker(dsn, stream_table(user_logins, ROTATED)).run()))

    assert done.remasked == 5
    (refused,) = done.not_remasked
    assert refused.why.startswith("is refused by the database: 23505 unique_violation, table user_logins")


@pytest.mark.parametrize("role", ["maskline_remasker", "postgres"])
def test_row_security_hides_no_row(dsn: str, database: Connection, user_logins: StreamDefinition, role: str) -> None:
    write_masked(dsn, OLD, [login()])
    run(database, "ALTER TABLE user_logins ENABLE ROW LEVEL SECURITY")
    steps = remasker(dsn, stream_table(user_logins, ROTATED), role).run()

    if role == "postgres":
        assert total(list(steps)) == Step(1, [])
    else:
        with pytest.raises(DatabaseError, match="would be affected by row-level security policy"):
            list(steps)


def test_a_table_that_is_not_there_is_an_error_and_not_an_empty_one(dsn: str) -> None:
    births = parse_stream(BIRTHS, "test")

    with pytest.raises(DatabaseError, match='relation "births" does not exist'):
        list(remasker(dsn, stream_table(births, ROTATED)).run())


def test_a_foreign_key_to_a_row_that_is_locked_can_be_checked(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    (parent,) = write_masked(dsn, OLD, [login()])
    run(database, "ALTER TABLE user_logins ADD UNIQUE (message_id)")
    run(database, "CREATE TABLE children (parent uuid REFERENCES user_logins (message_id))")
    inserted: list[int] = []

    class Watched(Remasker):
        def _remasked_values(self, values, bound_to):  # type: ignore[no-untyped-def]
            # The row is locked now.
            with connected(dsn) as other:
                run(other, "SET lock_timeout = '2s'")
                run(other, "INSERT INTO children VALUES (%s)", [parent])
            inserted.append(1)
            return super()._remasked_values(values, bound_to)

    connecting = functools.partial(open_connection, dsn)
    list(Watched(connecting, stream_table(user_logins, ROTATED), ROTATED, threading.Event()).run())

    assert inserted == [1]
    assert value_of(database, "SELECT key_id FROM user_logins") == 8


@pytest.mark.slow
def test_a_row_that_somebody_holds_is_waited_for_no_longer_than_the_time_out(
    dsn: str, user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.postgres.remask.FULL_SCAN_SETTINGS", "SET LOCAL lock_timeout = '100ms'")
    write_masked(dsn, OLD, [login()])
    with connected(dsn, autocommit=False) as holder:
        run(holder, "SELECT FROM user_logins FOR UPDATE")

        with pytest.raises(DatabaseUnavailableError, match="55P03 lock_not_available"):
            list(remasker(dsn, stream_table(user_logins, ROTATED)).run())
