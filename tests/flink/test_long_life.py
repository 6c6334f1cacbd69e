"""A long life on Flink: what the processes use does not grow, but for what Beam's runner keeps of every poll."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.servers.elasticmq import ELASTICMQ, ElasticMq
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue
from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.flink.cluster_use import ClusterUse, look, written_batches
from tests.flink.submitted_job import SubmittedJob, submitted_job, takes_flink

PORTION = 500
MAX_AHEAD = 2_000
MAX_KEPT_OF_A_CALL = 3_000
"""Bytes; Beam's runner for Flink up to 2.75 keeps about 1,900 (apache/beam#27648), later ones nothing."""

pytestmark = [
    takes_flink,
    pytest.mark.skipif(not ELASTICMQ.is_dir(), reason="ElasticMQ is not there; ./run_tests.sh fetches it"),
    pytest.mark.skipif(shutil.which("jcmd") is None, reason="jcmd, which collects the garbage, comes with a JDK only"),
]


@pytest.fixture
def queue(tmp_path: Path, sqs: EmbeddedSqs) -> Iterator[SqsQueue]:
    """A queue of ElasticMQ, which is quick; `sqs` puts credentials into the environment."""
    with ElasticMq(tmp_path) as server:
        yield SqsQueue.open(QueueAddress(server.create_queue("long-life"), server.endpoint))


@pytest.fixture
def job(tmp_path: Path, queue: SqsQueue, dsn: str, keyset_uri: str) -> Iterator[SubmittedJob]:
    """The job on a cluster of its own, a call of the source for every message."""
    endpoint = queue.url.partition("/queue")[0].rpartition("/")[0]
    options = [
        f"--queue={queue.url}",
        f"--queue_endpoint={endpoint}",
        f"--postgres={dsn}",
        f"--keyset={keyset_uri}",
        "--micro_batch_size=1",
        "--micro_batch_seconds=0",
    ]
    with submitted_job(tmp_path, options, {"heartbeat.timeout": "120000"}) as job:
        yield job


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_thousands_of_polls_leave_nothing_behind_but_what_the_runner_keeps(job: SubmittedJob, queue: SqsQueue) -> None:
    _live(job, queue, calls=5_000, settled_after=1_500)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_hundred_thousand_polls_leave_nothing_behind_but_what_the_runner_keeps(
    job: SubmittedJob, queue: SqsQueue
) -> None:
    _live(job, queue, calls=100_000, settled_after=10_000)


def _live(job: SubmittedJob, queue: SqsQueue, calls: int, settled_after: int) -> None:
    with _sending(queue):
        uses = [_look_after(job, settled_after + (calls - settled_after) * step // 5) for step in range(6)]

    for use in uses:
        print(use)  # noqa: T201 - what a soak is for
    kept_of_a_call = (uses[-1].heap_bytes - uses[0].heap_bytes) / (uses[-1].calls - uses[0].calls)
    print(f"{kept_of_a_call:.0f} bytes of heap kept of a call")  # noqa: T201
    assert kept_of_a_call < MAX_KEPT_OF_A_CALL
    assert _grows([use.worker.resident_bytes for use in uses]) < 1.1
    for process in ([use.worker for use in uses], [use.taskmanager for use in uses]):
        assert _grows([use.threads for use in process]) < 1.1
        assert _grows([use.files for use in process]) < 1.1


def _grows(values: list[int]) -> float:
    """Return the most of the second half for each of the first's, for a job breathes."""
    half = len(values) // 2
    return max(values[half:]) / max(values[:half])


def _look_after(job: SubmittedJob, calls: int) -> ClusterUse:
    await_until(lambda: written_batches(job) >= calls, f"{calls} micro-batches are written", seconds=3600)
    return look(job)


@contextlib.contextmanager
def _sending(queue: SqsQueue) -> Iterator[None]:
    """Keep the queue from running empty while the block runs."""
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(1):
            if queue.depth().visible < MAX_AHEAD:
                queue.send([login(number) for number in range(PORTION)])

    sender = threading.Thread(target=send, name="long-life-sender", daemon=True)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join()
