"""Deletes that go on while the next micro-batch is received: begun after the commit, waited for before the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from maskline.errors import QueueError
from maskline.records import Receipt
from maskline.sqs import DeleteFailure, QueueAddress
from maskline.transforms.deleting import _Delete
from maskline.transforms.run_context import RunContext
from tests.maskline.sqs.faults import FaultyQueue, some_receipts

LOGINS = QueueAddress("logins")


class SlowQueue(FaultyQueue):
    """A queue whose deletes wait until they may go on."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.threads = ThreadPoolExecutor(8)
        super().__init__(delete=self._wait)

    def submit_delete(self, receipts: Sequence[Receipt]) -> Future[list[DeleteFailure]]:
        return self.threads.submit(self.delete, receipts)

    def _wait(self, number: int, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        assert self.may_go_on.wait(30)
        return []


@pytest.fixture
def queue() -> Iterator[SlowQueue]:
    queue = SlowQueue()
    yield queue
    queue.may_go_on.set()
    queue.threads.shutdown()


Delete = Callable[..., _Delete]


@pytest.fixture
def context() -> RunContext:
    return RunContext()


@pytest.fixture
def delete(queue: SlowQueue, context: RunContext) -> Iterator[Delete]:
    """Make a DoFn that deletes from the queue, overlapping unless said otherwise."""
    made: list[_Delete] = []

    def make(overlapping: bool = True) -> _Delete:
        made.append(_Delete(LOGINS, "", overlapping, context, lambda _: queue))
        made[-1].setup()
        return made[-1]

    yield make
    queue.may_go_on.set()
    for dofn in made:
        dofn.teardown()


def bundle(delete: _Delete, *batches: list[Receipt]) -> None:
    """Run a bundle of micro-batches through the DoFn."""
    delete.start_bundle()
    for batch in batches:
        delete.process(batch)
    delete.finish_bundle()


def check_that_it_waits(work: Callable[[], None], queue: SlowQueue) -> None:
    """Fail where the work ends before the queue has answered."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work)
        with pytest.raises(TimeoutError):
            future.result(0.2)
        queue.may_go_on.set()
        future.result(30)


def test_a_bundle_ends_while_its_deletions_are_under_way(delete: Delete, context: RunContext) -> None:
    dofn = delete()

    bundle(dofn, some_receipts(25))

    assert context.tally.counts()["deleted"] == 0


def test_a_bundle_that_deletes_nothing_waits_for_them_and_counts_them(
    delete: Delete, queue: SlowQueue, context: RunContext
) -> None:
    dofn = delete()
    bundle(dofn, some_receipts(25))

    check_that_it_waits(lambda: bundle(dofn), queue)

    assert context.tally.counts()["deleted"] == 25


def test_a_third_deletion_waits_for_the_first(delete: Delete, queue: SlowQueue, context: RunContext) -> None:
    dofn = delete()
    bundle(dofn, some_receipts(25))
    bundle(dofn, some_receipts(25))

    check_that_it_waits(lambda: bundle(dofn, some_receipts(5)), queue)

    assert context.tally.counts()["deleted"] == 25


def test_a_bundle_waits_for_its_own_where_the_job_is_stopping(
    delete: Delete, queue: SlowQueue, context: RunContext
) -> None:
    dofn = delete()
    context.stopping.set()

    check_that_it_waits(lambda: bundle(dofn, some_receipts(25)), queue)

    assert context.tally.counts()["deleted"] == 25


def test_a_bundle_waits_for_its_own_unless_they_may_overlap(
    delete: Delete, queue: SlowQueue, context: RunContext
) -> None:
    dofn = delete(overlapping=False)

    check_that_it_waits(lambda: bundle(dofn, some_receipts(25)), queue)

    assert context.tally.counts()["deleted"] == 25


def test_a_worker_that_ends_finishes_what_it_began(delete: Delete, queue: SlowQueue) -> None:
    dofn = delete()
    bundle(dofn, some_receipts(25))

    check_that_it_waits(dofn.teardown, queue)

    assert sum(map(len, queue.deleted)) == 25


def test_a_refusal_fails_the_next_bundle(context: RunContext) -> None:
    def refuse(number: int, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        raise QueueError("queue logins: SQS refuses these credentials")

    dofn = _Delete(LOGINS, "", True, context, lambda _: FaultyQueue(delete=refuse))
    dofn.setup()
    bundle(dofn, some_receipts(25))

    with pytest.raises(QueueError):
        bundle(dofn)

    dofn.teardown()
    assert isinstance(context.failure, QueueError)
