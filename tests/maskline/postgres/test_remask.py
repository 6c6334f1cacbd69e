"""Tokens of older keys become those of the primary: whole rows, one key a row, and nothing else is touched."""

from __future__ import annotations

import functools
import threading

import pytest

from maskline.errors import DatabaseError
from maskline.keys import Keyset, open_keyset
from maskline.postgres.connection import Connection, connect, open_connection
from maskline.postgres.remask import NotRemasked, Remasker, Step
from maskline.postgres.remask_statements import RemaskedTable, rejections_table, stream_table
from maskline.streams.definition import StreamDefinition, parse_stream
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, opened, reference_token, siv, stored
from tests.maskline.logins import login
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import connected, rows_of, run, value_of
from tests.maskline.stored_tokens import stored_values

OLD = opened(7)
STORED = stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8)
ROTATED = open_keyset(STORED)


def remask(dsn: str, table: RemaskedTable, keyset: Keyset = ROTATED, role: str = "maskline_remasker") -> Step:
    """Walk a table once with the permissions of a role, and return what all transactions did together."""
    connecting = functools.partial(open_connection, dsn, options=f"-c role={role}")
    steps = list(Remasker(connecting, table, keyset, threading.Event(), retry_seconds=0).run())
    return Step(sum(step.remasked for step in steps), [row for step in steps for row in step.not_remasked])


def test_tokens_of_an_older_key_become_what_the_primary_would_have_made(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    write_masked(dsn, OLD, [login(ip="203.0.113.7", device_id=""), login(ip=None, locale=None)])

    done = remask(dsn, stream_table(user_logins, ROTATED))

    assert done == Step(2, [])
    assert rows_of(database, "SELECT masked_ip, masked_device_id, key_id FROM user_logins ORDER BY masked_ip") == [
        (
            reference_token(OTHER_KEY, 8, "203.0.113.7", "user_logins.masked_ip"),
            reference_token(OTHER_KEY, 8, "", "user_logins.masked_device_id"),
            8,
        ),
        (None, reference_token(OTHER_KEY, 8, "593-47-5928", "user_logins.masked_device_id"), 8),
    ]


def test_equal_values_are_equal_again_across_the_rotation(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    write_masked(dsn, OLD, [login(ip="203.0.113.7")])
    write_masked(dsn, ROTATED, [login(ip="203.0.113.7")])
    assert value_of(database, "SELECT count(DISTINCT masked_ip) FROM user_logins") == 2

    remask(dsn, stream_table(user_logins, ROTATED))

    assert value_of(database, "SELECT count(DISTINCT masked_ip) FROM user_logins") == 1


def test_everything_else_of_a_row_stays_as_it_is(dsn: str, database: Connection, user_logins: StreamDefinition) -> None:
    others = (
        "SELECT user_id, device_type, locale, app_version, create_date, message_id, sent_at, processed_at"
        " FROM user_logins ORDER BY message_id"
    )
    write_masked(dsn, OLD, [login(user_id=f"u{number}") for number in range(5)])
    before = rows_of(database, others)

    remask(dsn, stream_table(user_logins, ROTATED))

    assert rows_of(database, others) == before


def test_sealed_bodies_are_sealed_anew_whatever_is_in_them(dsn: str, database: Connection) -> None:
    bodies = ["not JSON", '{"ip": "\ud800"}', "", "[" * 9]
    write_masked(dsn, OLD, bodies)

    done = remask(dsn, rejections_table(ROTATED))

    assert done == Step(4, [])
    assert rows_of(database, "SELECT DISTINCT key_id FROM rejected_messages") == [(8,)]
    recovered = [body.decode("utf-8", "surrogatepass") for body in stored_values(dsn, STORED)["rejected_messages.body"]]
    assert sorted(recovered) == sorted(bodies)


def test_rows_of_the_primary_are_left_alone(dsn: str, database: Connection, user_logins: StreamDefinition) -> None:
    write_masked(dsn, ROTATED, [login()])
    version = rows_of(database, "SELECT xmin, ctid FROM user_logins")

    assert remask(dsn, stream_table(user_logins, ROTATED)) == Step(0, [])

    assert rows_of(database, "SELECT xmin, ctid FROM user_logins") == version


def test_a_walk_of_many_pages_reaches_every_row(dsn: str, database: Connection, user_logins: StreamDefinition) -> None:
    write_masked(dsn, OLD, [login(device_id=f"{number:09}") for number in range(3000)])

    done = remask(dsn, stream_table(user_logins, ROTATED))

    assert done == Step(3000, [])
    assert rows_of(database, "SELECT key_id, count(*) FROM user_logins GROUP BY 1") == [(8, 3000)]
    values = stored_values(dsn, STORED)["user_logins.masked_device_id"]
    assert sorted(values) == [b"%09d" % number for number in range(3000)]


def test_a_damaged_token_stays_as_it_is_and_is_named_and_the_row_stays_of_one_key(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    first, second = write_masked(dsn, OLD, [login(user_id="whole"), login(user_id="damaged")])
    run(database, "UPDATE user_logins SET masked_ip = left(masked_ip, -1) || '_' WHERE user_id = 'damaged'")
    before = rows_of(database, "SELECT masked_ip, masked_device_id, key_id FROM user_logins WHERE user_id = 'damaged'")

    done = remask(dsn, stream_table(user_logins, ROTATED))

    assert done.remasked == 1
    assert [row.row for row in done.not_remasked] == [second]
    assert done.not_remasked[0].why.startswith("masked_ip ")
    assert rows_of(database, "SELECT key_id FROM user_logins WHERE message_id = %s", [first]) == [(8,)]
    after = rows_of(database, "SELECT masked_ip, masked_device_id, key_id FROM user_logins WHERE user_id = 'damaged'")
    assert after == before


def test_rows_of_a_key_that_is_disabled_or_not_held_wait(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    write_masked(dsn, OLD, [login()])
    write_masked(dsn, opened(9), [login()])
    disabled = open_keyset(stored(aes_siv_key(7, status="DISABLED"), aes_siv_key(8, OTHER_KEY), primary=8))

    assert remask(dsn, stream_table(user_logins, disabled), disabled) == Step(0, [])

    assert rows_of(database, "SELECT key_id FROM user_logins ORDER BY 1") == [(7,), (9,)]


@pytest.mark.parametrize("text", ["hex", "base64"])
def test_what_was_masked_elsewhere_with_a_key_that_was_imported_comes_under_the_primary(
    dsn: str, database: Connection, user_logins: StreamDefinition, text: str
) -> None:
    keyset = open_keyset(stored(aes_siv_key(7, prefix="RAW"), aes_siv_key(8, OTHER_KEY), primary=8))
    plain = siv(KEY, b"203.0.113.7", b"user_logins.masked_ip")
    run(
        database,
        "INSERT INTO user_logins (user_id, masked_ip) VALUES ('elsewhere', encode(%s, %s)), ('other', 'not a token')",
        [plain, text],
    )

    done = remask(dsn, stream_table(user_logins, keyset), keyset)

    assert done == Step(1, [NotRemasked("ctid (0,2)", "masked_ip is not a token (base64url without padding)")])
    assert rows_of(database, "SELECT masked_ip, key_id FROM user_logins WHERE user_id = 'elsewhere'") == [
        (reference_token(OTHER_KEY, 8, "203.0.113.7", "user_logins.masked_ip"), 8)
    ]


def test_rows_that_name_no_key_wait_where_no_key_was_imported(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    run(database, "INSERT INTO user_logins (masked_ip) VALUES ('of another program')")

    assert remask(dsn, stream_table(user_logins, ROTATED)) == Step(0, [])


def test_partitions_are_walked_together_and_no_row_is_taken_for_another(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    run(
        database,
        "ALTER TABLE user_logins RENAME TO plain;"
        "CREATE TABLE user_logins (LIKE plain INCLUDING DEFAULTS) PARTITION BY LIST (device_type);"
        "CREATE TABLE android PARTITION OF user_logins FOR VALUES IN ('android');"
        "CREATE TABLE apple PARTITION OF user_logins FOR VALUES IN ('iOS')",
    )
    tokens = [reference_token(KEY, 7, address, "user_logins.masked_ip") for address in ("192.0.2.1", "192.0.2.2")]
    run(
        database,
        "INSERT INTO user_logins (device_type, masked_ip, key_id) VALUES ('android', %s, 7), ('iOS', %s, 7)",
        tokens,
    )
    assert rows_of(database, "SELECT DISTINCT ctid::text FROM user_logins") == [("(0,1)",)]

    done = remask(dsn, stream_table(user_logins, ROTATED), role="postgres")

    assert done == Step(2, [])
    assert rows_of(database, "SELECT device_type, masked_ip FROM user_logins ORDER BY 1") == [
        ("android", reference_token(OTHER_KEY, 8, "192.0.2.1", "user_logins.masked_ip")),
        ("iOS", reference_token(OTHER_KEY, 8, "192.0.2.2", "user_logins.masked_ip")),
    ]


def test_a_token_that_its_column_cannot_hold_is_named_and_stays(dsn: str, database: Connection) -> None:
    keyset = open_keyset(stored(aes_siv_key(7, prefix="RAW"), aes_siv_key(8, OTHER_KEY), primary=8))
    narrow = parse_stream('name = "n"\ntable = "n"\n[columns.v]\ntype = "varchar(30)"\npii = true', "test")
    run(database, "CREATE TABLE n (v varchar(30), message_id uuid, key_id bigint)")
    run(database, "INSERT INTO n (v) VALUES (encode(%s, 'base64'))", [siv(KEY, b"abc", b"n.v")])

    done = remask(dsn, stream_table(narrow, keyset), keyset, role="postgres")

    why = "v would become 32 characters long, and the column takes 30"
    assert done == Step(0, [NotRemasked("ctid (0,1)", why)])


def test_a_stop_ends_it_after_the_transaction_under_way(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    write_masked(dsn, OLD, [login(user_id=f"{number}") for number in range(3000)])
    stopping = threading.Event()
    steps = Remasker(functools.partial(connect, dsn), stream_table(user_logins, ROTATED), ROTATED, stopping).run()

    first = next(steps)
    stopping.set()

    assert list(steps) == []
    assert 0 < first.remasked < 3000
    assert value_of(database, "SELECT count(*) FROM user_logins WHERE key_id = 8") == first.remasked


def test_a_connection_that_is_lost_is_replaced_and_no_row_is_missed(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    write_masked(dsn, OLD, [login(user_id=f"{number}") for number in range(3000)])
    opened_connections: list[Connection] = []

    def connecting() -> Connection:
        opened_connections.append(connect(dsn))
        return opened_connections[-1]

    steps = Remasker(connecting, stream_table(user_logins, ROTATED), ROTATED, threading.Event()).run()
    done = next(steps).remasked
    run(database, "SELECT pg_terminate_backend(%s)", [opened_connections[0].info.backend_pid])

    done += sum(step.remasked for step in steps)

    assert done == 3000
    assert len(opened_connections) == 2
    assert rows_of(database, "SELECT DISTINCT key_id FROM user_logins") == [(8,)]


def test_a_role_without_the_right_to_it_changes_nothing(dsn: str, user_logins: StreamDefinition) -> None:
    write_masked(dsn, OLD, [login()])

    with pytest.raises(DatabaseError, match="permission denied"):
        remask(dsn, stream_table(user_logins, ROTATED), role="maskline_analyst")


def test_the_job_goes_on_writing_while_rows_are_locked(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    (old_message_id,) = write_masked(dsn, OLD, [login()])
    with connected(dsn, autocommit=False) as remasker:
        run(remasker, "SELECT FROM user_logins FOR UPDATE")

        write_masked(dsn, ROTATED, [login()])
        redelivered = "INSERT INTO maskline_outcomes VALUES (%s, now()) ON CONFLICT DO NOTHING"
        run(database, f"SET statement_timeout = '5s'; {redelivered}", [old_message_id])

    assert value_of(database, "SELECT count(*) FROM user_logins") == 2
