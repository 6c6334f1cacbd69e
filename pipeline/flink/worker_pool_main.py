"""Beam's pool of SDK workers, reached over loopback alone, whose workers end with it.

It takes the place of ``python -m apache_beam.runners.worker.worker_pool_main``, which listens on all interfaces, where
whoever reaches it has this machine run a worker for him, and which a SIGTERM ends before it has ended its workers.

    python -m maskline.pipeline.flink.worker_pool_main --service_port=50000

It needs Beam and nothing else, so that it can be copied to where Beam alone is installed.

Source: https://beam.apache.org/documentation/runtime/sdk-harness-config/
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils import thread_pool_executor

STOP_SECONDS = 10
"""How long workers may take to end; Kubernetes gives a pod 30."""

_CHANNEL_OPTIONS = [
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
]
"""Pings as Beam's own pool has them; and no two pools at one port, of which either would be asked."""


def main() -> int:
    """Start workers for whoever asks, until SIGTERM or Ctrl-C.

    Returns:
        0 when no worker is left, 2 where the address cannot be had.
    """
    parser = argparse.ArgumentParser(description="Beam's pool of SDK workers, for the environment type EXTERNAL.")
    parser.add_argument("--service_port", type=int, required=True, help="the port to listen at")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (%(default)s)")
    parser.add_argument("--container_executable", help="Beam's own start program, which installs what a job staged")
    arguments = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    pool = _Pool(arguments.container_executable)
    server: Any = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=_CHANNEL_OPTIONS)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    address = f"{arguments.host}:{arguments.service_port}"
    try:
        server.add_insecure_port(address)
    except RuntimeError:
        sys.stderr.write(f"worker pool: {address} cannot be listened at; is another pool there?\n")
        return 2
    server.start()
    sys.stderr.write(f"worker pool: listening at {address}\n")
    stopping.wait()
    server.stop(grace=None).wait()
    _end(pool.workers)
    return 0


class _Pool(BeamFnExternalWorkerPoolServicer):
    def __init__(self, container_executable: str | None) -> None:
        # Sizes as Beam's own pool has them.
        super().__init__(use_process=True, container_executable=container_executable, data_buffer_time_limit_ms=-1)

    @property
    def workers(self) -> Collection[subprocess.Popen[bytes]]:
        return list(self._worker_processes.values())


def _end(workers: Collection[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.terminate()
    give_up = time.monotonic() + STOP_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


if __name__ == "__main__":
    sys.exit(main())
