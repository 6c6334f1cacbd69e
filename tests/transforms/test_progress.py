"""What the DoFns of a run note as progress: an answered poll, a commit, a deletion, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apache_beam as beam
import pytest

from maskline.records import Receipt
from maskline.sqs import DeleteFailure, QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.transforms import DeleteFromSqs, ReadFromSqs, WriteToPostgres
from maskline.transforms.deleting import _Delete
from maskline.transforms.movement import Movement
from maskline.transforms.run_context import RunContext
from tests.maskline.postgres.records import row
from tests.maskline.sqs.faults import FaultyQueue, some_receipts
from tests.transforms.running import a_pipeline
from tests.transforms.test_sink import run_write

LONG_AGO = 0.0


@pytest.fixture
def context() -> RunContext:
    """A run that has got nowhere for long."""
    context = RunContext(tracks_in_flight=True)
    context.movement.last_progress = LONG_AGO
    return context


def test_a_poll_that_comes_back_empty_is_progress(context: RunContext, queue_address: QueueAddress) -> None:
    settings = ReceiveSettings(long_poll_seconds=0)

    with a_pipeline() as pipeline:
        _ = pipeline | ReadFromSqs(queue_address, settings, until_empty=True, context=context)

    assert context.movement.last_progress > LONG_AGO
    assert context.movement.oldest_message_seconds() == 0.0


def test_the_age_of_the_queue_is_that_of_the_messages_it_gave(
    context: RunContext, queue: SqsQueue, queue_address: QueueAddress
) -> None:
    queue.send(["one"])
    settings = ReceiveSettings(long_poll_seconds=0, micro_batch_seconds=0)
    context.movement = Movement(wall_clock=lambda: time.time() + 500)

    with a_pipeline() as pipeline:
        messages = pipeline | ReadFromSqs(queue_address, settings, until_empty=True, context=context)
        receipts = messages | beam.Map(lambda message: [Receipt(message.message_id, message.receipt_handle)])
        _ = receipts | DeleteFromSqs(queue_address, context=context)

    age = context.movement.oldest_message_seconds()
    assert age is not None
    assert 500 <= age < 560


def test_a_commit_is_progress_and_its_connection_is_not_counted_once_it_is_closed(
    context: RunContext, dsn: str, user_logins: StreamDefinition
) -> None:
    run_write([row(1)], WriteToPostgres(user_logins, dsn, context=context))

    assert context.movement.last_progress > LONG_AGO
    assert context.open_connections() == 0


def deleting(context: RunContext, queue: FaultyQueue) -> None:
    delete = _Delete(QueueAddress("logins"), "", False, context, lambda _: queue)
    delete.setup()
    delete.start_bundle()
    delete.process(some_receipts(2))
    delete.finish_bundle()
    delete.teardown()


def test_a_deletion_is_progress(context: RunContext) -> None:
    deleting(context, FaultyQueue(delete=lambda _number, _receipts: []))

    assert context.movement.last_progress > LONG_AGO


def test_a_deletion_that_deletes_nothing_is_none(context: RunContext) -> None:
    def fail(_number: int, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        return [DeleteFailure(receipt, "ReceiptHandleIsInvalid", True) for receipt in receipts]

    deleting(context, FaultyQueue(delete=fail))

    assert context.movement.last_progress == LONG_AGO
