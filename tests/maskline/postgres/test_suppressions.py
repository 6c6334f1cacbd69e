"""A message of a person who was erased, sent before, is in no table once the erasure has committed."""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from maskline.errors import KeysetError
from maskline.keys import Keyset, open_keyset
from maskline.postgres.connection import Connection, connect
from maskline.postgres.erasure import DatabaseEraser
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.writer import BatchWriter, WriteOutcome
from maskline.records import MaskedRow, Rejection, SqsMessage
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from maskline.streams.masking import MessageMasker
from maskline.streams.subjects import find_subjects
from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.maskline.keysets import aes_siv_key, stored
from tests.maskline.postgres.records import connected, rows_of, run, value_of, waiting_for_a_lock

PERSON = "a6a1d27f-forget-me"
BEFORE = datetime(2026, 1, 31, 12, tzinfo=UTC)
NEVER = threading.Event()
VISITS = """
name = "visits"
table = "visits"
[subject]
columns = ["masked_email"]
[columns.visit]
type = "bigint"
[columns.masked_email]
field = "email"
type = "varchar(256)"
mask = "deterministic"
"""


def keys(primary: int, *others: int) -> Keyset:
    """Return a keyset of numbered keys."""
    numbered = [aes_siv_key(number, bytes([number]) * 64) for number in (primary, *others)]
    return open_keyset(stored(*numbered, primary=primary))


def masked(
    keyset: Keyset, *bodies: str, sent_at: datetime | None = None, stream: StreamDefinition | None = None
) -> list[MaskedRow | Rejection]:
    """Mask bodies, each as a message of its own."""
    masker = MessageMasker(stream or load_stream("user_logins"), keyset)
    when = sent_at or datetime.now(UTC)
    return [masker.mask(SqsMessage(str(uuid.uuid4()), "handle", body, when, 1)) for body in bodies]


def write(
    dsn: str, outcomes: Sequence[MaskedRow | Rejection], stream: StreamDefinition | None = None
) -> WriteOutcome[MaskedRow]:
    """Write rows over a connection of their own."""
    connecting = functools.partial(connect, dsn)
    writer = BatchWriter(connecting, InsertRows(stream or load_stream("user_logins")), 60, NEVER)
    try:
        return writer.write([row for row in outcomes if isinstance(row, MaskedRow)])
    finally:
        writer.close()


def erase(
    dsn: str, keyset: Keyset, person: str = PERSON, stream: StreamDefinition | None = None, by: str = "user_id"
) -> int:
    """Erase a person, and return how many rows there were."""
    streams = [stream or load_stream("user_logins")]
    with connected(dsn, autocommit=False) as connection:
        eraser = DatabaseEraser(connection, keyset, streams, find_subjects(streams, by), by, [person])
        return sum(eraser.erase("request 12").rows.values())


def ledger(database: Connection) -> set[str]:
    """Return the message ids in the ledger."""
    return {message_id for (message_id,) in rows_of(database, "SELECT message_id::text FROM maskline_outcomes")}


def test_a_message_sent_before_becomes_no_row_and_has_its_outcome(
    dsn: str, keyset: Keyset, database: Connection
) -> None:
    theirs, others = masked(keyset, login(1, user_id=PERSON), login(2))
    erase(dsn, keyset)

    outcome = write(dsn, [theirs, others])
    again = write(dsn, [theirs])

    assert (len(outcome.committed), len(outcome.inserted), outcome.suppressed, outcome.duplicates) == (2, 1, 1, 0)
    assert (len(again.committed), again.suppressed, again.duplicates) == (1, 0, 1)
    assert rows_of(database, "SELECT message_id::text FROM user_logins") == [(others.receipt.message_id,)]
    assert ledger(database) == {theirs.receipt.message_id, others.receipt.message_id}


def test_a_message_sent_afterwards_is_written(dsn: str, keyset: Keyset, database: Connection) -> None:
    erase(dsn, keyset)

    outcome = write(dsn, masked(keyset, login(1, user_id=PERSON), sent_at=datetime.now(UTC) + timedelta(seconds=5)))

    assert (len(outcome.inserted), outcome.suppressed) == (1, 0)
    assert value_of(database, "SELECT count(*) FROM user_logins") == 1


def test_a_writer_that_has_read_the_suppressions_sees_later_ones(
    dsn: str, keyset: Keyset, database: Connection
) -> None:
    theirs = masked(keyset, login(1, user_id=PERSON), login(2, user_id="carol"), login(3, user_id="dan"))
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(load_stream("user_logins")), 60, NEVER)
    found = []

    for person, row in zip((PERSON, "carol", "nobody"), theirs, strict=True):
        erase(dsn, keyset, person)
        assert isinstance(row, MaskedRow)
        found.append(writer.write([row]).suppressed)
    writer.close()

    assert found == [1, 1, 0]
    assert rows_of(database, "SELECT user_id FROM user_logins") == [("dan",)]


def test_a_rejection_of_theirs_is_not_kept_either(dsn: str, keyset: Keyset, database: Connection) -> None:
    theirs, others = masked(keyset, f'{{"userId": "{PERSON}"}}', '{"user_id": "another"}')
    erase(dsn, keyset)
    writer = BatchWriter(functools.partial(connect, dsn), InsertRejections(), 60, NEVER)

    outcome = writer.write([one for one in (theirs, others) if isinstance(one, Rejection)])
    writer.close()

    assert (len(outcome.inserted), outcome.suppressed) == (1, 1)
    assert rows_of(database, "SELECT message_id::text FROM rejected_messages") == [(others.receipt.message_id,)]


def test_a_masked_subject_is_found_and_suppressed_under_every_key(dsn: str, database: Connection) -> None:
    stream = parse_stream(VISITS, origin="visits")
    run(
        database,
        "CREATE TABLE visits (visit bigint, masked_email varchar(256), create_date date, message_id uuid,"
        " sent_at timestamptz, processed_at timestamptz DEFAULT now(), key_id bigint)",
    )
    old, new = keys(1), keys(2, 1)
    bodies = ['{"visit": 1, "email": "ann@example.com"}', '{"visit": 2, "email": "bob@example.com"}']
    write(dsn, masked(old, *bodies, stream=stream), stream)
    write(dsn, masked(new, *bodies, stream=stream), stream)

    removed = erase(dsn, new, "ann@example.com", stream, by="email")
    outcomes = [write(dsn, masked(keyset, *bodies, sent_at=BEFORE, stream=stream), stream) for keyset in (old, new)]

    assert removed == 2
    assert [(len(outcome.inserted), outcome.suppressed) for outcome in outcomes] == [(1, 1), (1, 1)]
    assert rows_of(database, "SELECT DISTINCT visit FROM visits") == [(2,)]


def test_a_message_that_no_key_of_the_erasure_can_judge_stops_the_job(dsn: str, database: Connection) -> None:
    erase(dsn, keys(1))

    with pytest.raises(KeysetError) as refused:
        write(dsn, masked(keys(2), login(3), sent_at=BEFORE))

    assert "keyset: holds none of the keys (1) under which somebody was erased on " in str(refused.value)
    assert ledger(database) == set()
    assert len(write(dsn, masked(keys(2), login(3), sent_at=datetime.now(UTC) + timedelta(seconds=5))).inserted) == 1
    assert len(write(dsn, masked(keys(2, 1), login(3), sent_at=BEFORE)).inserted) == 1


def test_a_suppression_ends_after_sixteen_days_by_itself(dsn: str, keyset: Keyset, database: Connection) -> None:
    erase(dsn, keyset)
    run(database, "UPDATE maskline_suppressions SET erased_at = now() - interval '16 days 1 minute'")

    outcome = write(dsn, masked(keyset, login(1, user_id=PERSON), sent_at=datetime.now(UTC) - timedelta(days=17)))

    assert (len(outcome.inserted), outcome.suppressed) == (1, 0)
    assert value_of(database, "SELECT count(*) FROM maskline_suppressions") == 0


def test_the_fingerprint_tells_nobody_who_it_is(dsn: str, keyset: Keyset, database: Connection) -> None:
    erase(dsn, keyset)
    erase(dsn, keys(7))

    fingerprints = [bytes(found) for (found,) in rows_of(database, "SELECT fingerprint FROM maskline_suppressions")]

    assert [int.from_bytes(found[:4], "big") for found in fingerprints] == [keyset.primary_key_id, 7]
    assert [len(found) for found in fingerprints] == [20, 20]
    assert fingerprints[0][4:] != fingerprints[1][4:]


def test_a_row_of_a_writer_that_began_before_the_erasure_is_erased(
    dsn: str, keyset: Keyset, database: Connection
) -> None:
    run(
        database,
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_advisory_xact_lock(7); RETURN new; END$$;"
        "CREATE TRIGGER hold BEFORE INSERT ON user_logins FOR EACH STATEMENT EXECUTE FUNCTION hold()",
    )
    run(database, "SELECT pg_advisory_lock(7)")
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write, dsn, masked(keyset, login(1, user_id=PERSON), login(2)))
        await_until(lambda: waiting_for_a_lock(database), "the first waits")
        erasing = pool.submit(erase, dsn, keyset)
        await_until(lambda: lock_waits(database) == 2, "the second waits")
        run(database, "SELECT pg_advisory_unlock(7)")

        assert len(writing.result().inserted) == 2
        assert erasing.result() == 1

    assert value_of(database, "SELECT count(*) FROM user_logins") == 1


def test_a_writer_that_waits_for_the_erasure_sees_its_suppression(
    dsn: str, keyset: Keyset, database: Connection
) -> None:
    run(
        database,
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_advisory_xact_lock(7); RETURN new; END$$;"
        "CREATE TRIGGER hold BEFORE INSERT ON maskline_suppressions FOR EACH STATEMENT EXECUTE FUNCTION hold()",
    )
    run(database, "SELECT pg_advisory_lock(7)")
    with ThreadPoolExecutor() as pool:
        erasing = pool.submit(erase, dsn, keyset)
        await_until(lambda: waiting_for_a_lock(database), "the first waits")
        writing = pool.submit(write, dsn, masked(keyset, login(1, user_id=PERSON), login(2)))
        await_until(lambda: lock_waits(database) == 2, "the second waits")
        run(database, "SELECT pg_advisory_unlock(7)")

        assert erasing.result() == 0
        assert writing.result().suppressed == 1

    assert value_of(database, "SELECT count(*) FROM user_logins") == 1


def lock_waits(database: Connection) -> int:
    """Return how many wait for a lock in the database."""
    return int(
        value_of(
            database,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
    )
