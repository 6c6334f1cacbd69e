"""Rejected messages are listed as they are, and sent back once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from maskline.errors import DatabaseError
from maskline.postgres import rejections
from maskline.postgres.connection import Connection
from maskline.postgres.rejections import RejectedMessage, RejectedMessages, Requeue
from tests.awaiting import await_until
from tests.maskline.postgres.records import connected, message_id, rows_of, run, waiting_for_a_lock

NEW_ID = "0e984725-c51c-4bf4-9960-e1c80e27aba0"
REQUEUED = (
    "SELECT message_id::text, requeued_message_id::text, requeued_at BETWEEN now() - interval '1 minute' AND now()"
    " FROM rejected_messages WHERE requeued_at IS NOT NULL"
)


@pytest.fixture
def four_rejects(database: Connection) -> None:
    """Three of the logins, rejected in the order of their numbers, and one of another stream."""
    run(
        database,
        """
        INSERT INTO rejected_messages
            (message_id, stream, reason, detail, sent_at, receive_count, rejected_at, key_id, body)
        SELECT ('6f9619ff-8b86-4011-b42d-' || lpad(n::text, 12, '0'))::uuid, stream, reason, 'a detail',
               '2023-11-05 12:30Z', n, '2023-11-05 13:00Z'::timestamptz + n * interval '1 hour', 1, '\\x0001ff'
        FROM (VALUES (1, 'user_logins', 'not_json'), (2, 'user_logins', 'too_long'),
                     (3, 'user_logins', 'not_json'), (4, 'orders', 'not_json')) AS rejects (n, stream, reason)
        """,
    )


@contextmanager
def requeuing_number_2(dsn: str) -> Iterator[Requeue | None]:
    """Send the second back over a connection of one's own."""
    with (
        connected(dsn, autocommit=False) as connection,
        RejectedMessages(connection).requeuing(message_id(2), "user_logins") as one,
    ):
        yield one


@pytest.mark.usefixtures("four_rejects")
def test_they_are_counted_by_reason(database: Connection) -> None:
    rejected = RejectedMessages(database)

    assert rejected.count_by_reason() == {"not_json": 3, "too_long": 1}
    assert rejected.count_by_reason("user_logins") == {"not_json": 2, "too_long": 1}
    assert rejected.count_by_reason("nosuch") == {}


@pytest.mark.usefixtures("four_rejects")
def test_the_newest_come_first(database: Connection) -> None:
    rejected = RejectedMessages(database)

    def numbers(messages: list[RejectedMessage]) -> list[int]:
        return [int(message.message_id[-12:]) for message in messages]

    assert numbers(rejected.newest(10)) == [4, 3, 2, 1]
    assert numbers(rejected.newest(2)) == [4, 3]
    assert numbers(rejected.newest(10, stream="user_logins")) == [3, 2, 1]
    assert numbers(rejected.newest(10, reason="not_json")) == [4, 3, 1]
    assert numbers(rejected.newest(10, stream="orders", reason="too_long")) == []


@pytest.mark.usefixtures("four_rejects")
def test_those_that_wait_come_oldest_first_with_their_queue(database: Connection) -> None:
    run(
        database,
        "UPDATE rejected_messages SET queue = 'https://sqs.eu-central-1.amazonaws.com/1/logins' WHERE message_id = %s",
        [message_id(2)],
    )
    rejected = RejectedMessages(database)

    assert [(each.message_id, each.queue) for each in rejected.waiting(["user_logins"])] == [
        (message_id(1), None),
        (message_id(2), "https://sqs.eu-central-1.amazonaws.com/1/logins"),
        (message_id(3), None),
    ]
    assert [each.message_id for each in rejected.waiting(["user_logins"], [message_id(3), message_id(4)])] == [
        message_id(3)
    ]
    assert [each.stream for each in rejected.waiting()] == ["user_logins", "user_logins", "user_logins", "orders"]


@pytest.mark.usefixtures("four_rejects")
def test_old_ones_are_counted_and_deleted_some_at_a_time(database: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejections, "ROWS_PER_DELETE", 2)
    run(
        database,
        "UPDATE rejected_messages SET rejected_at = now() - interval '1 hour' WHERE message_id = %s",
        [message_id(3)],
    )
    run(database, "UPDATE rejected_messages SET requeued_at = now() WHERE message_id = %s", [message_id(1)])
    rejected = RejectedMessages(database)

    old = rejected.count_older_than(timedelta(hours=2))
    of_stream = rejected.count_older_than(timedelta(hours=2), "user_logins")
    deleted = rejected.delete_before(old.before)

    assert (old.count, old.waiting) == (3, 2)
    assert (of_stream.count, of_stream.waiting) == (2, 1)
    assert deleted == 3
    assert [message.message_id for message in rejected.newest(10, requeued=True)] == [message_id(3)]


@pytest.mark.usefixtures("four_rejects")
def test_one_is_found_with_its_body(database: Connection) -> None:
    found = RejectedMessages(database).find(message_id(2))

    assert found == (
        RejectedMessage(
            message_id="6f9619ff-8b86-4011-b42d-000000000002",
            stream="user_logins",
            reason="too_long",
            detail="a detail",
            sent_at=datetime(2023, 11, 5, 12, 30, tzinfo=UTC),
            rejected_at=datetime(2023, 11, 5, 15, 0, tzinfo=UTC),
            receive_count=2,
            requeued_at=None,
        ),
        b"\x00\x01\xff",
    )
    assert RejectedMessages(database).find(NEW_ID) is None


@pytest.mark.usefixtures("four_rejects")
def test_one_that_was_sent_back_is_marked_and_listed_no_more(dsn: str, database: Connection) -> None:
    with connected(dsn, autocommit=False) as connection:
        rejected = RejectedMessages(connection)

        with rejected.requeuing(message_id(2), "user_logins") as requeue:
            assert requeue is not None
            assert requeue.sealed_body == b"\x00\x01\xff"
            requeue.sent_as([NEW_ID])

        assert rows_of(database, REQUEUED) == [(message_id(2), "0e984725-c51c-4bf4-9960-e1c80e27aba0", True)]
        assert [each.message_id for each in rejected.waiting(["user_logins"])] == [message_id(1), message_id(3)]
        assert rejected.count_by_reason() == {"not_json": 3}
        assert [message.message_id for message in rejected.newest(10)] == [
            message_id(4),
            message_id(3),
            message_id(1),
        ]
        assert len(rejected.newest(10, requeued=True)) == 4


@pytest.mark.usefixtures("four_rejects")
def test_one_that_was_sent_back_or_is_not_there_is_not_sent_again(dsn: str) -> None:
    with connected(dsn, autocommit=False) as connection:
        rejected = RejectedMessages(connection)
        with rejected.requeuing(message_id(2), "user_logins") as first:
            assert first is not None
            first.sent_as([NEW_ID])

        with rejected.requeuing(message_id(2), "user_logins") as again:
            pass
        with rejected.requeuing(message_id(4), "user_logins") as of_another_stream:
            pass
        with rejected.requeuing(NEW_ID, "user_logins") as unknown:
            pass

        assert again is None
        assert of_another_stream is None
        assert unknown is None


@pytest.mark.usefixtures("four_rejects")
def test_two_at_once_never_both_send(dsn: str, database: Connection) -> None:
    sent: list[str] = []

    def requeue_as(name: str) -> None:
        with requeuing_number_2(dsn) as requeue:
            if requeue is not None:
                sent.append(name)
                requeue.sent_as([NEW_ID])

    second = threading.Thread(target=requeue_as, args=("second",))
    with requeuing_number_2(dsn) as requeue:
        second.start()
        await_until(lambda: waiting_for_a_lock(database), "the second waits for the first")
        assert requeue is not None
        sent.append("first")
        requeue.sent_as([NEW_ID])
    second.join()

    assert sent == ["first"]
    assert len(rows_of(database, REQUEUED)) == 1


@pytest.mark.usefixtures("four_rejects")
def test_a_failure_before_it_was_sent_marks_nothing_and_lets_the_next_try(dsn: str, database: Connection) -> None:
    with connected(dsn, autocommit=False) as connection:
        rejected = RejectedMessages(connection)

        with pytest.raises(RuntimeError, match="the queue is away"), rejected.requeuing(message_id(2), "user_logins"):
            raise RuntimeError("the queue is away")
        after_failure = rows_of(database, REQUEUED)
        with rejected.requeuing(message_id(2), "user_logins"):
            pass
        after_silence = rows_of(database, REQUEUED)
        with rejected.requeuing(message_id(2), "user_logins") as requeue:
            pass

    assert after_failure == after_silence == []
    assert requeue is not None


@pytest.mark.parametrize("role", ["maskline_writer", "maskline_analyst", "maskline_auditor"])
def test_none_of_the_jobs_roles_may_look_after_them(dsn: str, role: str) -> None:
    with connected(dsn, role=role) as connection:
        rejected = RejectedMessages(connection)

        with pytest.raises(DatabaseError, match="permission denied"):
            rejected.newest(1)
        with pytest.raises(DatabaseError, match="permission denied"):
            rejected.find(message_id(1))
        with pytest.raises(DatabaseError, match="permission denied"), rejected.requeuing(message_id(1), "user_logins"):
            pass
