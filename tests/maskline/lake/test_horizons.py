"""A database that was restored, or moved, is compared with its copies: they miss nothing and double nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.publisher import Publication
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection, open_connection, transaction
from tests.e2e.conftest import login
from tests.maskline.lake.copies import lake_table, publish, publisher, rows_in
from tests.maskline.lake.test_values import verify
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import connected, run, value_of

TABLES = ("user_logins", "lake_publications")


def restore_dump(dsn: str, second_dsn: str) -> None:
    """Copy rows and publications into another database, as pg_dump and psql do."""
    with (
        contextlib.closing(open_connection(dsn)) as source,
        contextlib.closing(open_connection(second_dsn)) as target,
    ):
        for table in TABLES:
            with source.cursor() as reading, reading.copy(f"COPY {table} TO STDOUT") as dump:
                lines = b"".join(map(bytes, dump))
            with transaction(target) as writing, writing.copy(f"COPY {table} FROM STDIN") as load:
                load.write(lines)
        with transaction(target) as cursor:
            cursor.execute("SELECT setval('lake_publications_id_seq', max(id)) FROM lake_publications")


def publications(dsn: str, place: Path) -> list[Publication]:
    """Publish the opaque copy."""
    return list(publisher(dsn, lake_table(place)).publish())


def write_in_transactions(database: Connection, number: str) -> None:
    """Let each row have been written by a transaction of its own, in SQL by the row's number, from 1 on."""
    run(
        database,
        f"UPDATE user_logins SET written_in = ({number})::text::xid8"
        " FROM (SELECT message_id AS id, row_number() OVER () AS number FROM user_logins) AS numbered"
        " WHERE id = message_id",
    )


def publish_rows_of_another_server(
    dsn: str, keyset: Keyset, place: Path, first: str = "pg_current_xact_id()::text::bigint + 10"
) -> list[str]:
    """Write five rows, publish four, and let their transactions lie ahead of the server's; return their message ids."""
    written = write_masked(dsn, keyset, [login(number) for number in range(4)])
    publish(dsn, lake_table(place))
    written += write_masked(dsn, keyset, [login(4)])
    with connected(dsn) as database:
        write_in_transactions(database, f"{first} + 20 * number")
    return written


def test_a_dump_restored_elsewhere_is_compared_once_and_completed(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    written = write_masked(dsn, keyset, [login(number) for number in range(5)])
    publish(dsn, lake_table(tmp_path))
    written += write_masked(dsn, keyset, [login(number) for number in (5, 6)])
    restore_dump(dsn, second_dsn)

    (compared,) = publications(second_dsn, tmp_path)

    assert (compared.rows, compared.is_compared, compared.only_in_copy) == (2, True, 0)
    assert rows_in(tmp_path, "message_id") == sorted(written)
    assert verify(second_dsn, lake_table(tmp_path)).differences == []
    written += write_masked(second_dsn, keyset, [login(7)])
    (following,) = publications(second_dsn, tmp_path)
    assert (following.rows, following.only_in_copy) == (1, None)
    assert publications(second_dsn, tmp_path) == []
    assert rows_in(tmp_path, "message_id") == sorted(written)


def test_rows_of_a_server_with_higher_transaction_ids_are_neither_missed_nor_doubled_while_these_catch_up(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    written = publish_rows_of_another_server(dsn, keyset, tmp_path)
    restore_dump(dsn, second_dsn)

    (first,) = publications(second_dsn, tmp_path)
    added = 0
    with connected(second_dsn) as database:
        for number in range(100, 130):
            written += write_masked(second_dsn, keyset, [login(number)])
            for _ in range(4):
                run(database, "SELECT pg_current_xact_id()")
            added += sum(publication.rows for publication in publications(second_dsn, tmp_path))

    assert first.only_in_copy == 0
    assert first.rows + added == 31
    assert rows_in(tmp_path, "message_id") == sorted(written)
    assert verify(second_dsn, lake_table(tmp_path)).differences == []


def test_the_last_row_of_another_server_is_the_one_with_the_highest_number_and_not_with_the_greatest_text(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    written = publish_rows_of_another_server(dsn, keyset, tmp_path, first="999950")
    restore_dump(dsn, second_dsn)

    (first,) = publications(second_dsn, tmp_path)

    assert (first.rows, first.only_in_copy) == (1, 0)
    assert rows_in(tmp_path, "message_id") == sorted(written)
    assert publications(second_dsn, tmp_path) == []


def test_a_commit_takes_the_transactions_with_the_lowest_numbers_and_not_with_the_least_texts(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    written = write_masked(dsn, keyset, [login(number) for number in range(10)])
    write_in_transactions(database, "95 + number")

    made = list(publisher(dsn, lake_table(tmp_path), rows_per_commit=3).publish())

    assert [publication.rows for publication in made] == [3, 3, 3, 1]
    assert rows_in(tmp_path, "message_id") == sorted(written)


def test_rows_of_another_server_that_look_like_rows_under_way_are_compared_at_once(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    written = publish_rows_of_another_server(dsn, keyset, tmp_path)
    restore_dump(dsn, second_dsn)
    with connected(second_dsn) as others, connected(second_dsn) as database:
        with others.transaction():
            # As a long vacuum does: the ids of the rows come to lie behind a transaction that is still open.
            run(others, "SELECT pg_current_xact_id()")
            for _ in range(130):
                run(database, "SELECT pg_current_xact_id()")

            (first,) = publications(second_dsn, tmp_path)

            assert (first.rows, first.only_in_copy) == (1, 0)
            assert verify(second_dsn, lake_table(tmp_path)).differences == []
        assert verify(second_dsn, lake_table(tmp_path)).differences == []
        written += write_masked(second_dsn, keyset, [login(5)])
        assert verify(second_dsn, lake_table(tmp_path)).differences == []
        (following,) = publications(second_dsn, tmp_path)

    assert (following.rows, following.only_in_copy) == (1, None)
    assert rows_in(tmp_path, "message_id") == sorted(written)
    assert verify(second_dsn, lake_table(tmp_path)).differences == []


def test_rows_of_a_server_with_higher_transaction_ids_go_to_a_new_copy_at_once(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    written = write_masked(dsn, keyset, [login(number) for number in range(3)])
    run(database, "UPDATE user_logins SET written_in = '900000000000'")

    assert publish(dsn, lake_table(tmp_path)) == 3

    assert rows_in(tmp_path, "message_id") == sorted(written)
    assert publish(dsn, lake_table(tmp_path)) == 0
    assert verify(dsn, lake_table(tmp_path)).differences == []


@pytest.mark.parametrize("copy", Copy)
def test_a_database_that_went_back_to_an_earlier_state_keeps_what_the_copy_has_and_says_so(
    dsn: str,
    keyset: Keyset,
    keyset_uri: str,
    database: Connection,
    tmp_path: Path,
    copy: Copy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept, lost = write_masked(dsn, keyset, [login(1), login(2)])
    options = [f"--postgres={dsn}", f"--keyset={keyset_uri}", f"--lake_{copy.value}={tmp_path}"]
    assert main(["lake", "publish", *options]) == 0
    run(database, "DELETE FROM lake_publications")
    run(database, "DELETE FROM user_logins WHERE message_id = %s", [lost])
    (new,) = write_masked(dsn, keyset, [login(3)])

    assert main(["lake", "publish", *options]) == 0

    said = capsys.readouterr().out
    assert "this database does not prove the copy's last publication" in said
    assert "it lacked 1 rows." in said
    assert "  1 rows are in the copy only" in said
    assert rows_in(tmp_path, "message_id") == sorted([kept, lost, new])


def test_a_copy_of_an_earlier_version_is_compared_once(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1), login(2)])
    publish(dsn, lake_table(tmp_path))
    run(database, "UPDATE lake_publications SET recorded_in = NULL")
    run(database, "UPDATE user_logins SET locale = 'XX'")

    counts = [publish(dsn, lake_table(tmp_path)) for _ in range(2)]

    assert counts == [0, 0]
    assert len(rows_in(tmp_path)) == 2
    assert value_of(database, "SELECT count(*) FROM lake_publications WHERE recorded_in IS NOT NULL") == 1


def test_a_frozen_and_rewritten_entry_is_still_proved(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, lake_table(tmp_path))
    run(database, "VACUUM (FREEZE, FULL) lake_publications")
    write_masked(dsn, keyset, [login(2)])

    (publication,) = publications(dsn, tmp_path)

    assert (publication.rows, publication.is_compared) == (1, False)


def test_rows_without_a_message_id_are_compared_by_their_values(dsn: str, database: Connection, tmp_path: Path) -> None:
    for user in ("a", "a", "b"):
        run(database, "INSERT INTO user_logins (user_id, create_date) VALUES (%s, '2026-01-31')", [user])
    publish(dsn, lake_table(tmp_path))
    run(database, "DELETE FROM lake_publications")
    run(database, "DELETE FROM user_logins WHERE user_id = 'b'")
    run(database, "INSERT INTO user_logins SELECT * FROM user_logins LIMIT 1")  # a third one like the others
    run(database, "INSERT INTO user_logins (user_id) VALUES ('c')")

    (publication,) = publications(dsn, tmp_path)

    assert (publication.rows, publication.only_in_copy) == (2, 1)
    assert rows_in(tmp_path, "user_id") == ["a", "a", "a", "b", "c"]


def test_a_lower_horizon_takes_the_place_of_a_higher_one(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, lake_table(tmp_path))
    lake_table(tmp_path).newest().commit([], [], 10**15, {"what": "test"})

    assert publish(dsn, lake_table(tmp_path)) == 0

    assert (lake_table(tmp_path).newest().horizon or 0) < 10**15
