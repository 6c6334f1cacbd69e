"""Rows of the opaque copy come back once: into an empty database, an older one, and beside a queue that redelivers."""

from __future__ import annotations

import functools
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maskline.errors import KeysetError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.restore import Restorer, RestoreResult
from maskline.lake.source import RowSource
from maskline.lake.table import LakeTable
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection, connect
from maskline.postgres.ddl import create_table
from maskline.postgres.key_registry import set_key_state
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, SqsMessage
from maskline.streams.definition import parse_stream
from maskline.streams.masking import MessageMasker
from tests.e2e.conftest import login
from tests.maskline.keysets import opened
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.lake.test_values import LIST, LISTS, MOMENTS, insert_moments, verify
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import connected, rows_of, run, value_of

COLUMNS = (
    "message_id::text, user_id, masked_ip, masked_device_id, locale, app_version, create_date, sent_at, processed_at,"
    " key_id"
)


def restorer(dsn: str, table: LakeTable, keyset: Keyset, stopping: threading.Event | None = None) -> Restorer:
    """Return what brings rows back into a database."""
    connecting = functools.partial(connect, dsn)
    return Restorer(RowSource(connecting, table.stream), table, connecting, keyset, stopping, retry_seconds=10)


def all_rows(dsn: str, table: str = "user_logins", columns: str = COLUMNS) -> list[tuple[object, ...]]:
    """Return the rows of a table, but for the transaction that wrote them."""
    with connected(dsn) as connection:
        return rows_of(connection, f"SELECT {columns} FROM {table} ORDER BY message_id")


def redeliver(dsn: str, keyset: Keyset, message_id: str, body: str, sent_at: datetime) -> int:
    """Write a message as the job does when it is delivered again, and return how many rows that inserted."""
    masked = MessageMasker(lake_table(".").stream, keyset).mask(SqsMessage(message_id, "handle", body, sent_at, 2))
    assert isinstance(masked, MaskedRow)
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(lake_table(".").stream), 0, threading.Event())
    outcome = writer.write([masked])
    writer.close()
    return len(outcome.inserted)


def test_an_empty_database_has_every_row_again_as_it_was_and_both_copies_double_none(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(number, locale=None if number == 3 else "it's \\ ä") for number in range(7)])
    opaque, clear = lake_table(tmp_path / "opaque"), lake_table(tmp_path / "clear", Copy.CLEARTEXT)
    publish(dsn, opaque)
    publish(dsn, clear, keyset)

    result = restorer(second_dsn, opaque, keyset).restore()

    assert result == RestoreResult(restored=7)
    assert all_rows(second_dsn) == all_rows(dsn)
    assert publish(second_dsn, opaque) == publish(second_dsn, clear, keyset) == 0
    assert verify(second_dsn, opaque).differences == verify(second_dsn, clear, keyset).differences == []
    assert restorer(second_dsn, opaque, keyset).restore() == RestoreResult(present=7)


def test_values_of_every_type_come_back_those_beyond_python_included(
    dsn: str, second_dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    insert_moments(
        database,
        {"at": "12000-01-01 00:00:00.000001+00", "on_day": "0044-03-15 BC", "price": "1.20", "measured": "1e-7"},
        {"at": "0044-03-15 12:00:00.5+00 BC", "measured": "infinity", "times": "{2026-01-01T00:00:00Z,NULL}"},
    )
    run(database, create_table(LISTS))
    write_masked(dsn, keyset, [json.dumps(LIST)], LISTS)
    with connected(second_dsn) as other:
        run(other, create_table(MOMENTS))
        run(other, create_table(LISTS))

    for number, stream in enumerate((MOMENTS, LISTS)):
        table = lake_table(tmp_path / str(number), stream=stream)
        publish(dsn, table)
        assert restorer(second_dsn, table, keyset).restore().restored == len(
            rows_in(tmp_path / str(number), "message_id")
        )

    for name in ("moments", "lists"):
        columns = f"({name}.*)::text"
        same = [all_rows(place, name, f"regexp_replace({columns}, ',[0-9]+\\)$', ')')") for place in (dsn, second_dsn)]
        assert same[0] == same[1]


def test_a_message_that_is_delivered_again_after_a_restore_becomes_no_second_row(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    written = write_masked(dsn, keyset, [login(1), login(2)])
    publish(dsn, lake_table(tmp_path))
    sent_at = datetime.now(UTC)
    before = redeliver(second_dsn, keyset, written[0], login(1), sent_at)

    result = restorer(second_dsn, lake_table(tmp_path), keyset).restore()
    after = [redeliver(second_dsn, keyset, message_id, login(1), sent_at) for message_id in written]

    assert (before, after) == (1, [0, 0])
    assert result == RestoreResult(restored=1, present=1)
    with connected(second_dsn) as other:
        assert rows_of(other, "SELECT message_id::text FROM user_logins ORDER BY 1") == [(m,) for m in sorted(written)]


def test_in_a_database_that_went_back_a_restore_brings_what_was_lost_and_a_publication_doubles_nothing(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    written = write_masked(dsn, keyset, [login(number) for number in range(5)])
    opaque, clear = lake_table(tmp_path / "opaque"), lake_table(tmp_path / "clear", Copy.CLEARTEXT)
    publish(dsn, opaque)
    publish(dsn, clear, keyset)
    # The publications are known, so only lake_restores keeps the next from taking the rows for new ones.
    run(database, "DELETE FROM user_logins WHERE message_id = ANY (%s::uuid[])", [written[:3]])
    run(database, "TRUNCATE maskline_outcomes")

    result = restorer(dsn, opaque, keyset).restore()
    written += write_masked(dsn, keyset, [login(9)])

    assert result == RestoreResult(restored=3, present=2)
    assert publish(dsn, opaque) == publish(dsn, clear, keyset) == 1
    assert rows_in(tmp_path / "opaque", "message_id") == rows_in(tmp_path / "clear", "message_id") == sorted(written)
    assert publish(dsn, opaque) == publish(dsn, clear, keyset) == 0


def test_a_row_that_was_deleted_while_the_ledger_has_it_stays_out_and_is_counted(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, lake_table(tmp_path))
    run(database, "DELETE FROM user_logins")

    assert restorer(dsn, lake_table(tmp_path), keyset).restore() == RestoreResult(entered=1)

    assert value_of(database, "SELECT count(*) FROM user_logins") == 0


def test_rows_of_a_person_who_was_erased_stay_out(
    dsn: str, second_dsn: str, keyset: Keyset, keyset_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased, other = write_masked(dsn, keyset, [login(1), login(2)])
    publish(dsn, lake_table(tmp_path))
    user_id = str(uuid.UUID(int=1))
    options = [f"--postgres={second_dsn}", f"--keyset={keyset_uri}"]
    assert main(["erase", *options, f"--user_id={user_id}", "--reason=request 12", "--no_lake"]) == 0

    result = restorer(second_dsn, lake_table(tmp_path), keyset).restore()

    assert result == RestoreResult(restored=1, suppressed=1)
    with connected(second_dsn) as database:
        assert rows_of(database, "SELECT message_id::text FROM user_logins") == [(other,)]
        assert value_of(database, "SELECT count(*) FROM maskline_outcomes") == 2
    assert erased != other


def test_a_restore_that_was_stopped_goes_on_where_it_ended(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.lake.restore.ROWS_PER_TRANSACTION", 4)
    written = write_masked(dsn, keyset, [login(number) for number in range(10)])
    publish(dsn, lake_table(tmp_path))
    stopping = threading.Event()

    first = restorer(second_dsn, lake_table(tmp_path), keyset, stopping).restore(advance=lambda _rows: stopping.set())
    second = restorer(second_dsn, lake_table(tmp_path), keyset).restore()

    assert (first, second) == (RestoreResult(restored=4), RestoreResult(restored=6, present=4))
    assert [row[0] for row in all_rows(second_dsn)] == sorted(written)


def test_rows_older_than_the_job_and_of_no_message_stay_out_and_are_counted(
    dsn: str, second_dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    run(database, "INSERT INTO user_logins (user_id) VALUES ('old')")
    publish(dsn, lake_table(tmp_path))

    assert restorer(second_dsn, lake_table(tmp_path), keyset).restore() == RestoreResult(without_id=1)


def test_messages_older_than_the_ledgers_days_come_back_once_all_the_same(
    dsn: str, second_dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1), login(2)])
    long_ago = datetime.now(UTC) - timedelta(days=100)
    run(database, "UPDATE user_logins SET sent_at = %s, create_date = %s", [long_ago, long_ago.date()])
    publish(dsn, lake_table(tmp_path))

    results = [restorer(second_dsn, lake_table(tmp_path), keyset).restore() for _ in range(2)]

    assert results == [RestoreResult(restored=2), RestoreResult(present=2)]


def test_rows_of_days_that_the_lake_cannot_hold_come_back_once_too(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    written = write_masked(dsn, keyset, [login(number) for number in range(5)])
    days = ("'infinity'", "'0044-03-15 BC'", "'5874897-12-31'", "NULL", "'2026-02-01'")
    for message_id, day in zip(written, days, strict=True):
        run(database, f"UPDATE user_logins SET create_date = {day} WHERE message_id = %s", [message_id])
    publish(dsn, lake_table(tmp_path))
    run(database, "TRUNCATE maskline_outcomes")

    assert restorer(dsn, lake_table(tmp_path), keyset).restore() == RestoreResult(present=5)

    assert value_of(database, "SELECT count(*) FROM user_logins") == 5


PEOPLE = """
name = "people"
table = "people"
[subject]
columns = ["masked_id"]
[columns.masked_id]
field = "id"
type = "text"
mask = "deterministic"
"""


def test_a_row_of_which_nobody_can_tell_whose_it_is_stays_out_and_is_named(
    dsn: str, second_dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    people = parse_stream(PEOPLE, origin="test")
    run(database, create_table(people))
    damaged, sound = write_masked(dsn, keyset, ['{"id": "ann"}', '{"id": "bob"}'], people)
    run(database, "UPDATE people SET masked_id = masked_id || 'AAAA' WHERE message_id = %s", [damaged])
    publish(dsn, lake_table(tmp_path, stream=people))
    run(database, "TRUNCATE people, maskline_outcomes")

    result = restorer(dsn, lake_table(tmp_path, stream=people), keyset).restore()

    assert (result.restored, result.left) == (1, 1)
    assert result.named[0].startswith(
        f"row {damaged} stays out: nobody can tell whether it is of a person who was erased: a token "
    )
    assert rows_of(database, "SELECT message_id::text FROM people") == [(sound,)]


def test_rows_under_a_key_that_the_database_holds_disabled_are_refused(
    dsn: str, second_dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    write_masked(dsn, opened(7), [login(1)])
    publish(dsn, lake_table(tmp_path))
    with connected(second_dsn, autocommit=False) as database:
        set_key_state(database, 7, "disabled")

    with pytest.raises(KeysetError, match="key 7 is disabled"):
        restorer(second_dsn, lake_table(tmp_path), keyset).restore()


def test_the_command_rehearses_restores_and_repeats(
    dsn: str, second_dsn: str, keyset: Keyset, keyset_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_masked(dsn, keyset, [login(1), login(2)])
    publish(dsn, lake_table(tmp_path))
    options = [f"--keyset={keyset_uri}", f"--lake_opaque={tmp_path}"]
    roles = f"--postgres={second_dsn}"

    codes = [main(["lake", "restore", roles, *options, *more]) for more in (["--dry_run"], [], [])]

    assert codes == [0, 0, 0]
    said = capsys.readouterr().out.splitlines()
    place = f"from file://{tmp_path}"
    assert said == [
        f"user_logins: 2 rows would come back {place}; 0 were there already.",
        f"user_logins: 2 rows brought back {place}; 0 were there already.",
        f"user_logins: 0 rows brought back {place}; 2 were there already.",
    ]


def test_the_clear_copy_is_not_what_rows_come_back_from(dsn: str, keyset_uri: str, tmp_path: Path) -> None:
    assert main(["lake", "restore", f"--postgres={dsn}", f"--keyset={keyset_uri}"]) == 2
    with pytest.raises(ValueError, match="only the opaque copy has tokens"):
        restorer(dsn, lake_table(tmp_path, Copy.CLEARTEXT), opened(7))
