"""SIGTERM beside a queue that is far away, while as many receives are under way as there may be."""

from __future__ import annotations

import signal
import time

import pytest

from benchmarks import sqs_requests
from benchmarks.messages import logins
from benchmarks.servers.stub import StubSqs
from maskline.sqs import QueueAddress, QueueDepth, SqsQueue
from tests.awaiting import await_until
from tests.e2e.conftest import Ledger, StartJob

MESSAGES = 40_000
DISTANCE_MILLISECONDS = 100
STOP_SECONDS = 10


@pytest.mark.slow
def test_a_stop_with_64_receives_under_way_ends_in_time_and_leaves_nothing_invisible(
    start_job: StartJob, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_requests, "SENDERS", 64)
    with StubSqs(DISTANCE_MILLISECONDS) as stub:
        url = stub.create_queue("far")
        sqs_requests.preload(stub.endpoint, url, logins(MESSAGES))
        job = start_job(f"--queue={url}", f"--queue_endpoint={stub.endpoint}", "--sqs_connections=64")
        # A micro-batch of 1,000 is a hundred full receives, each of which has one more be under way.
        await_until(lambda: ledger.rows() != [], "the first micro-batch is written")

        began_at = time.monotonic()
        job.send_signal(signal.SIGTERM)
        exit_code = job.wait()
        seconds = time.monotonic() - began_at

        written = len(ledger.rows())
        depth = SqsQueue.open(QueueAddress(url, stub.endpoint)).depth()
    assert exit_code == 0, job.errors
    assert seconds < STOP_SECONDS
    assert 0 < written < MESSAGES
    assert depth == QueueDepth(visible=MESSAGES - written, in_flight=0, delayed=0)
