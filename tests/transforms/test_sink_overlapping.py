"""Commits that go on while the next micro-batch is made: begun at once, and waited for before anything is emitted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from apache_beam.transforms.window import IntervalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

import maskline.transforms.sink
from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import Connection, connect
from maskline.postgres.dsn import PostgresDsn
from maskline.records import MaskedRow
from maskline.sqs import QueueAddress
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition
from maskline.transforms.postgres import _WriteRows
from maskline.transforms.run_context import RunContext
from tests.awaiting import await_until
from tests.maskline.postgres.records import row, value_of, waiting_for_a_lock
from tests.maskline.sqs.faults import FaultyQueue
from tests.transforms.database_faults import fail_commits

Write = Callable[..., _WriteRows]

FIRST_MINUTE, SECOND_MINUTE = IntervalWindow(0, 60), IntervalWindow(60, 120)


@pytest.fixture
def write(dsn: str, user_logins: StreamDefinition) -> Iterator[Write]:
    """Make a DoFn that writes rows, overlapping."""
    made: list[_WriteRows] = []

    def make(
        retry_seconds: float = 60, context: RunContext | None = None, lease: VisibilityLease | None = None
    ) -> _WriteRows:
        connecting = functools.partial(connect, PostgresDsn.parse(dsn))
        made.append(
            _WriteRows((user_logins,), connecting, retry_seconds, lease, context or RunContext(), overlapping=True)
        )
        made[-1].setup()
        made[-1].start_bundle()
        return made[-1]

    yield make
    for dofn in made:
        dofn.teardown()


def results_of(dofn: _WriteRows, *rows: MaskedRow, window: IntervalWindow = FIRST_MINUTE) -> list[WindowedValue]:
    """Give the DoFn a micro-batch, and return what it emits then."""
    return list(dofn.process(list(rows), window.start, window))


def receipts_of(*numbers: int) -> list[Any]:
    return [row(number).receipt for number in numbers]


def test_the_pipeline_goes_on_while_a_micro_batch_is_committed(
    write: Write, locked: Connection, database: Connection
) -> None:
    dofn = write()

    assert results_of(dofn, row(1), row(2)) == []

    await_until(lambda: waiting_for_a_lock(database), "the writer waits for the lock")
    locked.rollback()
    (last,) = dofn.finish_bundle()
    assert last.value == receipts_of(1, 2)
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


def test_what_follows_from_a_micro_batch_comes_with_the_next_one_in_a_window_of_its_own(write: Write) -> None:
    dofn = write()
    results_of(dofn, row(1), window=FIRST_MINUTE)

    (first,) = results_of(dofn, row(2), window=SECOND_MINUTE)
    (second,) = dofn.finish_bundle()

    assert first == WindowedValue(receipts_of(1), Timestamp(0), (FIRST_MINUTE,))
    assert second == WindowedValue(receipts_of(2), Timestamp(60), (SECOND_MINUTE,))
    assert list(dofn.finish_bundle()) == []


def with_the_next_one(dofn: _WriteRows) -> list[WindowedValue]:
    return results_of(dofn, row(2))


def with_the_bundle(dofn: _WriteRows) -> list[WindowedValue]:
    return list(dofn.finish_bundle())


@pytest.mark.parametrize("end", [with_the_next_one, with_the_bundle])
def test_a_commit_that_fails_fails_the_bundle(
    write: Write, database: Connection, end: Callable[[_WriteRows], list[WindowedValue]]
) -> None:
    fail_commits(database, "user_logins", times=1_000_000, sqlstate="40001")
    context = RunContext()
    dofn = write(retry_seconds=0, context=context)
    results_of(dofn, row(1))

    with pytest.raises(DatabaseUnavailableError):
        end(dofn)

    assert isinstance(context.failure, DatabaseUnavailableError)


def test_a_bundle_emits_nothing_of_one_that_failed_before(write: Write, database: Connection) -> None:
    context = RunContext()
    dofn = write(context=context)
    results_of(dofn, row(1))

    dofn.start_bundle()

    assert list(dofn.finish_bundle()) == []
    assert value_of(database, "SELECT count(*) FROM user_logins") == 1
    results_of(dofn, row(1), row(2))
    (again,) = dofn.finish_bundle()
    assert again.value == receipts_of(1, 2)
    assert (context.tally.counts()["written"], context.tally.counts()["duplicates"]) == (1, 1)


def test_what_waits_behind_a_commit_stays_hidden_meanwhile(
    write: Write, locked: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maskline.transforms.sink, "UNLEASED_SECONDS", 0.05)
    queue = FaultyQueue()
    dofn = write(lease=VisibilityLease(QueueAddress("logins"), 1, lambda _: queue))
    results_of(dofn, row(1))
    with ThreadPoolExecutor(1) as thread:
        second = thread.submit(results_of, dofn, row(2))

        await_until(lambda: (receipts_of(2), 1) in queue.extended, "what waits is kept hidden")

        locked.rollback()
        (first,) = second.result(30)
    assert first.value == receipts_of(1)


def test_what_waits_behind_a_commit_that_a_stop_fails_is_released_with_it(write: Write, database: Connection) -> None:
    fail_commits(database, "user_logins", times=1_000_000, sqlstate="40001")
    queue, context = FaultyQueue(), RunContext()
    dofn = write(context=context, lease=VisibilityLease(QueueAddress("logins"), 60, lambda _: queue))
    results_of(dofn, row(1))
    context.stopping.set()

    with pytest.raises(DatabaseUnavailableError):
        results_of(dofn, row(2))

    assert queue.extended == [(receipts_of(1), 0), (receipts_of(2), 0)]


def test_a_retry_is_seen_while_the_commit_is_under_way(write: Write, database: Connection) -> None:
    fail_commits(database, "user_logins", times=1_000_000, sqlstate="40001")
    context = RunContext()
    dofn = write(context=context)

    results_of(dofn, row(1))

    await_until(lambda: context.tally.counts()["db_retries"] > 0, "the retry is counted")
    context.stopping.set()
    with pytest.raises(DatabaseUnavailableError):
        list(dofn.finish_bundle())
