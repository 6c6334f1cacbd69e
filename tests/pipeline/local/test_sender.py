"""Sample messages are sent in the background, each once, and never far ahead of the job."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from maskline.errors import QueueError
from maskline.pipeline.local.directory import LocalDirectory
from maskline.pipeline.local.samples import Samples
from maskline.pipeline.local.sender import SampleSender
from maskline.records import Receipt
from maskline.sqs import QueueAddress, SqsQueue
from tests.awaiting import await_until


def received_bodies(queue: SqsQueue) -> list[str]:
    bodies: list[str] = []
    while messages := queue.receive(10, 0, 30):
        bodies.extend(message.body for message in messages)
    return bodies


def test_it_sends_what_comes_next(queue: SqsQueue, tmp_path: Path) -> None:
    directory = LocalDirectory(tmp_path)
    directory.claim_samples(10)

    sender = SampleSender(queue, directory, 130, threading.Event())
    sender.start()
    sender.join()

    assert sorted(received_bodies(queue)) == sorted(Samples().bodies(10, 130))
    assert directory.claim_samples(1) == 140


def test_it_waits_for_the_job_when_it_is_far_ahead(
    queue: SqsQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.pipeline.local.sender.MAX_AHEAD", 200)
    sender = SampleSender(queue, LocalDirectory(tmp_path), 500, threading.Event())

    sender.start()
    sender.is_ahead.wait()
    sent_ahead = sender.sent
    while sender.is_alive():
        queue.delete([Receipt(message.message_id, message.receipt_handle) for message in queue.receive(10, 0, 30)])

    assert sent_ahead == 200
    assert sender.sent == 500


def test_following_ends_when_asked(queue: SqsQueue, tmp_path: Path) -> None:
    stopping = threading.Event()
    sender = SampleSender(queue, LocalDirectory(tmp_path), None, stopping)
    sender.start()
    await_until(lambda: sender.sent >= 100, "a portion is sent")

    stopping.set()
    sender.join()

    assert not sender.is_alive()
    assert sender.failure is None


def test_a_failure_is_kept_for_the_command(queue_address: QueueAddress, queue: SqsQueue, tmp_path: Path) -> None:
    gone = SqsQueue(queue._client, queue_address, queue.url + "-gone")

    stopping = threading.Event()
    sender = SampleSender(gone, LocalDirectory(tmp_path), 10, stopping)
    sender.start()
    sender.join()

    assert isinstance(sender.failure, QueueError)
    assert stopping.is_set()
    assert sender.is_ahead.is_set()
