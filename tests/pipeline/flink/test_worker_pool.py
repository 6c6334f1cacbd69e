"""The pool of SDK workers: reached over loopback alone, and gone with its workers after a SIGTERM."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import psutil
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from maskline.pipeline.flink.worker_pool import PROGRAM, WorkerPool
from tests.awaiting import await_until

WORKER = """#!/bin/sh
trap 'sleep 0.2; exit 0' TERM
touch "$0.started"
while :; do sleep 0.1; done
"""
"""What the pool starts in the place of a worker: it takes a little to end."""


@pytest.fixture
def worker_program(tmp_path: Path) -> Path:
    program = tmp_path / "worker"
    program.write_text(WORKER)
    program.chmod(0o755)
    return program


def start_worker(pool: WorkerPool) -> psutil.Process:
    with grpc.insecure_channel(pool.address) as channel:
        stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        answer = stub.StartWorker(beam_fn_api_pb2.StartWorkerRequest(worker_id="1"), timeout=30)
    assert not answer.error
    (worker,) = psutil.Process(pool.process.pid).children()
    return worker


def listening_addresses(process: subprocess.Popen[bytes]) -> list[str]:
    connections = psutil.Process(process.pid).net_connections()
    listening = [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]
    return [f"{address.ip.removeprefix('::ffff:')}:{address.port}" for address in listening]  # gRPC's way to bind IPv4


def test_it_is_reached_over_loopback_alone_and_ends_with_its_workers_at_a_sigterm(
    worker_program: Path, tmp_path: Path
) -> None:
    with WorkerPool(tmp_path / "pool.txt", container_executable=worker_program) as pool:
        assert listening_addresses(pool.process) == [pool.address]
        worker = start_worker(pool)
        await_until(worker_program.with_name("worker.started").exists, "the worker runs")

        pool.process.send_signal(signal.SIGTERM)

        assert pool.process.wait(60) == 0
        assert not worker.is_running()


def test_an_address_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        pool = subprocess.run(
            [sys.executable, "-P", PROGRAM, f"--service_port={port}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert pool.returncode == 2
    told = pool.stderr.splitlines()[-1]
    assert told == f"worker pool: 127.0.0.1:{port} cannot be listened at; is another pool there?"
