"""One thread drives all calls of a process: how many at a time, how they end, what a stop or a fork does to them."""

from __future__ import annotations

import os
import select
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from maskline.errors import QueueUnavailableError
from maskline.sqs import QueueAddress, SqsQueue, client
from maskline.sqs.connections import shared_connections
from maskline.sqs.deleter import BatchDeleter
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings
from tests.awaiting import await_until
from tests.maskline.sqs.faults import some_receipts
from tests.maskline.sqs.recording_server import Answer, RecordingServer
from tests.maskline.sqs.transports import connected

pytestmark = pytest.mark.usefixtures("sqs")  # in the environment: credentials, and no proxy on loopback

SILENCE = Answer(is_silent=True)


def _loops() -> int:
    return [thread.name for thread in threading.enumerate()].count("sqs-loop")


def test_64_calls_at_a_time_are_driven_by_one_thread() -> None:
    loops_before = _loops()
    with (
        RecordingServer(lambda request: SILENCE) as server,
        connected(server.endpoint, connections=64) as connections,
    ):
        queue = connections.queue("libcurl", "logins")
        for _ in range(64):
            queue.submit_receive(10, 0, 60)
        await_until(lambda: len(server.requests) == 64, "all receives are under way")

        assert _loops() == loops_before + 1
        assert server.accepted == 64


def test_no_more_receives_are_under_way_than_there_are_connections_and_deletes_have_their_own() -> None:
    with RecordingServer(lambda request: SILENCE) as server, connected(server.endpoint, connections=2) as connections:
        queue = connections.queue("libcurl", "logins")
        for _ in range(5):
            queue.submit_receive(10, 20, 60)
        queue.submit_delete(some_receipts(1))
        requests = connections.transport.requests
        await_until(lambda: requests["DeleteMessageBatch"] == 1, "the last that was submitted is under way")

        assert requests == {"ReceiveMessage": 2, "DeleteMessageBatch": 1}


def test_what_waits_for_a_connection_is_sent_when_one_is_free() -> None:
    with RecordingServer() as server, connected(server.endpoint, connections=2) as connections:
        queue = connections.queue("libcurl", "logins")
        calls = [queue.submit_receive(10, 0, 60) for _ in range(50)]

        assert [call.result(timeout=10) for call in calls] == 50 * [[]]
        assert server.accepted <= 2
        assert connections.transport.requests == {"ReceiveMessage": 50}


def test_a_loop_that_was_woken_sleeps_again() -> None:
    with RecordingServer() as server, connected(server.endpoint) as connections:
        queue = connections.queue("libcurl", "logins")
        for _ in range(3):
            queue.receive(10, 0, 60)
        run = connections.transport._loop._run

        assert run is not None
        await_until(lambda: not select.select([run._wake_reader], [], [], 0)[0], "nothing is left that wakes it")


def test_closing_ends_calls_under_way_as_errors_and_later_ones_succeed() -> None:
    with RecordingServer(lambda request: SILENCE) as server, connected(server.endpoint) as connections:
        queue = connections.queue("libcurl", "logins")
        call = queue.submit_receive(10, 20, 60)
        await_until(lambda: len(server.requests) == 1, "the receive is under way")

        connections.transport.close()
        server.answering = lambda request: Answer()

        with pytest.raises(QueueUnavailableError, match="ConnectionClosedError"):
            call.result(timeout=10)
        assert queue.receive(10, 0, 60) == []
        assert connections.fallback.asked == 0


def test_a_verb_that_waits_gives_up_on_a_queue_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CALL_SECONDS", 0.2)
    with RecordingServer(lambda request: SILENCE) as server, connected(server.endpoint) as connections:
        queue = connections.queue("libcurl", "logins")

        with pytest.raises(QueueUnavailableError, match=r"SQS did not answer in 0\.2 s"):
            queue.extend(some_receipts(1), 60)


@pytest.mark.slow
def test_a_stop_beside_a_queue_that_hangs_ends_in_time() -> None:
    stopping = threading.Event()
    with RecordingServer(lambda request: SILENCE) as server, connected(server.endpoint) as connections:
        queue = connections.queue("libcurl", "logins")
        receiver = MicroBatchReceiver(queue, ReceiveSettings(), stopping)
        deletion = BatchDeleter(queue, stopping).start(some_receipts(1_000))
        with ThreadPoolExecutor(1) as poller:
            polling = poller.submit(receiver.receive)
            await_until(lambda: len(server.requests) == 33, "all calls are under way")

            began_at = time.monotonic()
            stopping.set()
            failures = deletion.failures()
            polling.result(timeout=20)
            receiver.close()
            seconds = time.monotonic() - began_at

    assert len(failures) == 1_000
    assert seconds < 20


def test_a_forked_process_makes_connections_of_its_own() -> None:
    with RecordingServer() as server:
        address = QueueAddress(f"{server.endpoint}/1/logins", server.endpoint)
        SqsQueue.open(address).receive(10, 0, 60)

        child = os.fork()
        if child == 0:
            os._exit(SqsQueue.open(address).receive(10, 0, 60) != [])
        _, status = os.waitpid(child, 0)
        SqsQueue.open(address).receive(10, 0, 60)

        assert os.waitstatus_to_exitcode(status) == 0
        assert (server.accepted, len(server.requests)) == (2, 3)
        shared_connections(server.endpoint, None)[1].close()
