"""The embedded SQS API: on loopback only, and its queues outlive it."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue
from tests.awaiting import await_until

pytestmark = pytest.mark.heavy


def opened(server: EmbeddedSqs) -> SqsQueue:
    return SqsQueue.open(QueueAddress(server.create_queue("logins"), server.endpoint))


def test_it_listens_on_loopback_only(sqs: EmbeddedSqs) -> None:
    addresses = {
        connection.laddr.ip
        for connection in psutil.Process(sqs.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}


@pytest.mark.usefixtures("sqs")  # for the credentials
def test_messages_outlive_the_server(tmp_path: Path) -> None:
    with EmbeddedSqs(tmp_path) as server:
        opened(server).send(["kept"])

    with EmbeddedSqs(tmp_path) as server:
        (message,) = opened(server).receive(10, 1, 30)

    assert message.body == "kept"


@pytest.mark.usefixtures("sqs")
def test_a_server_left_behind_is_stopped_first_and_its_messages_are_kept(tmp_path: Path) -> None:
    left_behind = EmbeddedSqs(tmp_path).__enter__()
    opened(left_behind).send(["kept"])

    with EmbeddedSqs(tmp_path) as server:
        (message,) = opened(server).receive(10, 1, 30)

    assert message.body == "kept"
    left_behind.__exit__()


def test_it_stays_up_when_ctrl_c_is_for_the_job(sqs: EmbeddedSqs) -> None:
    assert psutil.Process(sqs.pid).status() != psutil.STATUS_ZOMBIE
    assert psutil.Process(sqs.pid).is_running()

    import os

    assert os.getsid(sqs.pid) != os.getsid(0)


def test_what_it_holds_is_for_its_owner_only(tmp_path: Path) -> None:
    with EmbeddedSqs(tmp_path / "state") as server:
        psutil.Process(server.pid).send_signal(signal.SIGCONT)
        await_until(lambda: (tmp_path / "state" / "pid").exists(), "the server has written its process id")

    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
