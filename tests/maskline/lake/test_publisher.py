"""Every committed row is published once, whatever commits when, and the clear copy has the values."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from maskline.errors import DatabaseError, TokenError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.files import FileSize
from maskline.lake.publisher import Publisher
from maskline.lake.source import Interval, RowSource
from maskline.postgres.connection import Connection, connect
from maskline.streams.definition import load_stream
from tests.e2e.conftest import login
from tests.maskline.keysets import opened
from tests.maskline.lake.copies import files_that_know, lake_table, publish, publisher, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import connected, message_id, rows_of, run, value_of

INSERT = "INSERT INTO user_logins (user_id, message_id, create_date) VALUES (%s, %s, '2026-01-31')"


def insert(connection: Connection, number: int) -> str:
    """Insert a row over a connection, and return its message id."""
    run(connection, INSERT, [f"user {number}", message_id(number)])
    return message_id(number)


def test_both_copies_have_every_row_and_only_the_clear_one_the_values(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    written = write_masked(dsn, keyset, [login(1), login(2, ip=None), login(3, locale=None), "not JSON"])
    opaque, clear = lake_table(tmp_path / "opaque"), lake_table(tmp_path / "clear", Copy.CLEARTEXT)

    assert publish(dsn, opaque) == 3
    assert publish(dsn, clear, keyset) == 3

    names = "message_id, user_id, masked_ip, masked_device_id, locale, app_version, create_date, sent_at, key_id"
    in_table = rows_of(database, f"SELECT {names} FROM user_logins".replace("message_id", "message_id::text"))
    assert rows_in(tmp_path / "opaque", *names.split(", ")) == sorted(in_table, key=str)
    assert rows_in(tmp_path / "clear", "message_id", "ip", "device_id", "locale") == sorted(
        [
            (written[0], "198.51.0.1", "593-47-0001", "RU"),
            (written[1], None, "593-47-0002", "RU"),
            (written[2], "198.51.0.3", "593-47-0003", None),
        ]
    )


def test_a_second_publication_copies_nothing_and_makes_no_version(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    write_masked(dsn, keyset, [login(1)])
    table = lake_table(tmp_path)
    publish(dsn, table)
    version = table.newest().number

    assert publish(dsn, table) == 0

    assert table.newest().number == version


def test_a_transaction_that_began_earlier_and_commits_later_is_not_missed(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    table = lake_table(tmp_path)
    with connected(dsn, autocommit=False) as slow:
        first = insert(slow, 1)
        second = insert(database, 2)
        held_back = publish(dsn, table)
        slow.commit()

    published = publish(dsn, table)

    assert (held_back, published) == (0, 2)
    assert rows_in(tmp_path, "message_id") == [first, second]


def test_a_row_whose_transaction_was_rolled_back_holds_nothing_up(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    with connected(dsn, autocommit=False) as given_up:
        insert(given_up, 1)
        second = insert(database, 2)
        given_up.rollback()

    assert publish(dsn, lake_table(tmp_path)) == 1

    assert rows_in(tmp_path, "message_id") == [second]


def test_writers_that_hold_transactions_open_across_publications_lose_nothing_and_double_nothing(
    dsn: str, tmp_path: Path
) -> None:
    written: list[str] = []
    ended = threading.Event()

    def write(first: int) -> None:
        for number in range(first, first + 40):
            with connected(dsn, autocommit=False) as connection:
                written.append(insert(connection, number))
                # The lengths of the transactions differ, and publications fall into all of them.
                run(connection, "SELECT pg_sleep(%s)", [(number * 7 % 10) / 200])
                connection.commit()

    def publish_on() -> None:
        while not ended.is_set():
            publish(dsn, lake_table(tmp_path))

    writers = [threading.Thread(target=write, args=(first,)) for first in (1000, 2000, 3000)]
    publishers = [threading.Thread(target=publish_on) for _ in range(2)]
    for thread in (*writers, *publishers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    for thread in publishers:
        thread.join()
    publish(dsn, lake_table(tmp_path))

    assert rows_in(tmp_path, "message_id") == sorted(written)
    assert lake_table(tmp_path).newest().number > 3


class MeetingSource(RowSource):
    """A table whose publishers meet once each has chosen its rows; as behind some poolers, no lock keeps them apart."""

    def __init__(self, dsn: str, meeting: threading.Barrier) -> None:
        super().__init__(functools.partial(connect, dsn), load_stream("user_logins"))
        self._meeting = meeting

    @contextlib.contextmanager
    def exclusive_lock(self, *_: object) -> Iterator[bool]:
        yield True

    def record_intent(self, copy: Copy, lake_table: str, interval: Interval) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self._meeting.wait(5)
        super().record_intent(copy, lake_table, interval)


def test_two_publishers_that_take_the_same_rows_publish_them_once(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    written = write_masked(dsn, keyset, [login(number) for number in range(50)])
    lake_table(tmp_path).newest_or_new()
    meeting = threading.Barrier(2)
    results: list[int] = []

    def publish_too() -> None:
        mine = Publisher(MeetingSource(dsn, meeting), lake_table(tmp_path), retry_seconds=60)
        results.append(sum(publication.rows for publication in mine.publish()))

    threads = [threading.Thread(target=publish_too) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [0, 50]
    assert rows_in(tmp_path, "message_id") == sorted(written)


def test_a_commit_takes_whole_transactions_up_to_its_limit(dsn: str, database: Connection, tmp_path: Path) -> None:
    for first, count in ((0, 3), (10, 1), (20, 7), (30, 2)):
        values = ", ".join(f"('u', '{message_id(first + number)}')" for number in range(count))
        run(database, f"INSERT INTO user_logins (user_id, message_id) VALUES {values}")

    publications = list(publisher(dsn, lake_table(tmp_path), rows_per_commit=5).publish())

    assert [publication.rows for publication in publications] == [4, 7, 2]
    assert len(rows_in(tmp_path, "message_id")) == 13


def test_rows_of_before_the_migration_are_published_once(dsn: str, database: Connection, tmp_path: Path) -> None:
    run(database, "ALTER TABLE user_logins DROP COLUMN written_in")
    run(database, "INSERT INTO user_logins (user_id) VALUES ('old'), ('old')")
    run(database, "ALTER TABLE user_logins ADD COLUMN written_in xid8 NOT NULL DEFAULT pg_current_xact_id()")

    counts = [publish(dsn, lake_table(tmp_path)) for _ in range(2)]

    assert counts == [2, 0]
    assert rows_in(tmp_path, "user_id", "message_id", "create_date") == [("old", None, None)] * 2


def test_files_are_a_day_each_and_no_larger_than_said(dsn: str, database: Connection, tmp_path: Path) -> None:
    days = "SELECT DATE '2026-01-01' + number % 2 FROM generate_series(1, 50) AS number"
    run(database, f"INSERT INTO user_logins (user_id, create_date) SELECT 'u', day FROM ({days}) AS t (day)")
    table = lake_table(tmp_path)

    publish(dsn, table, size=FileSize(rows_per_file=10))

    files = table.newest().files()
    assert [file.rows for file in files] == [10, 10, 5] * 2 or sorted(file.rows for file in files) == [5, 5, *[10] * 4]
    assert {file.path.partition("/")[0] for file in files} == {"create_date=2026-01-01", "create_date=2026-01-02"}


def test_a_publication_in_clear_is_on_record_before_a_value_is_written(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1), login(2)])
    clear = lake_table(tmp_path / "clear", Copy.CLEARTEXT)
    publish(dsn, lake_table(tmp_path / "opaque"))
    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 0

    run(database, "REVOKE INSERT ON pii_access_log FROM maskline_publisher")
    publisher_dsn = f"{dsn}&options=-c%20role%3Dmaskline_publisher"
    with pytest.raises(DatabaseError, match="pii_access_log"):
        publish(publisher_dsn, clear, keyset)

    assert rows_in(tmp_path / "clear") == []
    publish(dsn, clear, keyset)
    log = rows_of(database, "SELECT action, stream, column_name, row_count, reason ~ 'clear copy' FROM pii_access_log")
    assert log == [
        ("publish", "user_logins", "masked_ip", 2, True),
        ("publish", "user_logins", "masked_device_id", 2, True),
    ]


def test_a_token_that_cannot_be_unmasked_is_named_and_nothing_of_its_commit_is_published(
    dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1)])
    (other,) = write_masked(dsn, opened(7), [login(2)])
    clear = lake_table(tmp_path, Copy.CLEARTEXT)

    with pytest.raises(TokenError, match=f"row {other}: the token in masked_ip was made with key 7, and this keyset"):
        publish(dsn, clear, keyset)

    assert rows_in(tmp_path) == []
    assert list(tmp_path.rglob("*.parquet")) == []


def test_what_is_no_token_is_not_published_among_tokens(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    _, in_clear = write_masked(dsn, keyset, [login(1), login(2)])
    run(database, "INSERT INTO user_logins (masked_ip, create_date) VALUES ('masked elsewhere', '2026-01-31')")
    run(database, "UPDATE user_logins SET masked_ip = '198.51.0.2' WHERE message_id = %s", [in_clear])

    with pytest.raises(TokenError) as refused:
        publish(dsn, lake_table(tmp_path))

    assert str(refused.value) == (
        f"row {in_clear}: what is in masked_ip is no token, and may be in clear; nothing of this publication was "
        "published"
    )
    assert files_that_know(tmp_path, "198.51.0.2") == []
    run(database, "DELETE FROM user_logins WHERE message_id = %s", [in_clear])
    assert publish(dsn, lake_table(tmp_path)) == 2


def test_an_intent_without_its_commit_is_harmless(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    table = lake_table(tmp_path)
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, table)
    run(
        database,
        "INSERT INTO lake_publications (stream, copy, lake_table, horizon, row_count)"
        " SELECT stream, copy, lake_table, pg_current_xact_id(), 1 FROM lake_publications",
    )
    write_masked(dsn, keyset, [login(2)])

    assert publish(dsn, table) == 1

    assert len(rows_in(tmp_path, "message_id")) == 2


def test_the_log_of_the_table_holds_no_value_of_a_row(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, lake_table(tmp_path, Copy.CLEARTEXT), keyset)
    DeltaTable(str(tmp_path)).create_checkpoint()

    marks = ["198.51.0.1", "00000000-0000-0000-0000-000000000001"]
    assert len(files_that_know(tmp_path, *marks)) == 1, "the file of the rows"
    assert files_that_know(tmp_path / "_delta_log", *marks) == []
