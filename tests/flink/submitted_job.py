"""The job on a Flink cluster of the test's own."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from maskline.pipeline.flink.local_cluster import FlinkCluster
from maskline.pipeline.flink.worker_pool import WorkerPool
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT, JobProcess

CACHE = PROJECT / ".cache" / "flink"
FLINK = CACHE / "pyflink"
JOB_SERVER = CACHE / "job-server" / "job-server.jar"

takes_flink = pytest.mark.skipif(
    shutil.which("java") is None or not FLINK.is_dir() or not JOB_SERVER.exists(),
    reason="Java, Flink or its job server is not there; tests/flink/fetch.sh fetches the last two",
)


class SubmittedJob(msgspec.Struct, frozen=True):
    """A job that runs on a cluster.

    Attributes:
        cluster: The cluster.
        workers: The pool of its SDK workers.
        job_id: Its id at Flink.
    """

    cluster: FlinkCluster
    workers: WorkerPool
    job_id: str

    def rest(self, path: str = "") -> Any:
        """Ask Flink's REST API about the job."""
        return self.cluster.rest(f"/jobs/{self.job_id}{path}")


@contextlib.contextmanager
def submitted_job(
    directory: Path, job_options: Sequence[str], settings: Mapping[str, str] | None = None
) -> Iterator[SubmittedJob]:
    """Have a job run on a cluster of its own while the block does; as a user would, ``run`` submits it.

    Args:
        directory: Where the parts keep their files.
        job_options: The options that say what the job is.
        settings: Settings of Flink.
    """
    with (
        FlinkCluster(FLINK, directory / "flink", settings=dict(settings or {})) as cluster,
        WorkerPool(directory / "workers.txt") as workers,
    ):
        flink_options = [
            "--allow_cleartext_keyset",
            "--runner=FlinkRunner",
            f"--flink_master={cluster.address}",
            f"--flink_job_server_jar={JOB_SERVER}",
            "--environment_type=EXTERNAL",
            f"--environment_config={workers.address}",
        ]
        submission = JobProcess(["run", *job_options, *flink_options])
        try:
            await_until(
                lambda: _states(cluster) == ["RUNNING"] or not submission.is_running(), "the job runs", seconds=120
            )
            assert submission.is_running(), submission.wait() and submission.errors
            yield SubmittedJob(cluster, workers, cluster.rest("/jobs/overview")["jobs"][0]["jid"])
            submission.send_signal(signal.SIGINT)
            submission.wait()
        finally:
            submission.kill()


def _states(cluster: FlinkCluster) -> list[str]:
    return [str(job["state"]) for job in cluster.rest("/jobs/overview")["jobs"]]
