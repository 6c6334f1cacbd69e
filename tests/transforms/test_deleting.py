"""Deleting at a real queue, on FnApiRunner."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to

from maskline.records import Receipt
from maskline.sqs import QueueAddress, QueueDepth, SqsQueue
from maskline.transforms.deleting import DeleteFromSqs
from tests.maskline.sqs.faults import receipts_of
from tests.transforms.running import measured_pipeline

NOBODYS_HANDLE = Receipt("00000000-0000-0000-0000-000000000001", "nonsense")


def test_messages_are_deleted_and_nothing_comes_out(queue: SqsQueue, queue_address: QueueAddress) -> None:
    queue.send(["x"] * 25)
    receipts = receipts_of([message for _ in range(3) for message in queue.receive(10, 0, 60)])

    with measured_pipeline() as (pipeline, measured):
        out = pipeline | beam.Create([receipts[:12], receipts[12:], ()]) | DeleteFromSqs(queue_address)
        assert_that(out, equal_to([]))

    assert queue.depth().total == 0
    assert measured.counters == {"deleted": 25}


def test_a_message_that_cannot_be_deleted_is_counted_and_stops_nothing(
    queue: SqsQueue, queue_address: QueueAddress
) -> None:
    queue.send(["x"] * 3)
    receipts = receipts_of(queue.receive(10, 0, 60))

    with measured_pipeline() as (pipeline, measured):
        pipeline | beam.Create([(NOBODYS_HANDLE, *receipts)]) | DeleteFromSqs(queue_address)

    assert queue.depth() == QueueDepth(visible=0, in_flight=0, delayed=0)
    assert measured.counters == {"deleted": 3, "delete_failures": 1}
