"""A fault case on a Flink cluster: the job submitted to it, and the account of every message at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from maskline.pipeline.flink.local_cluster import FlinkCluster
from maskline.pipeline.flink.worker_pool import WorkerPool
from maskline.pipeline.local.processes import free_port, is_listening, start_child, stop_child
from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT, JobProcess
from tests.faults.case import FaultCase, Record, is_marked
from tests.flink.submitted_job import FLINK, JOB_SERVER

CODE = ("maskline", "transforms", "pipeline")
ENDED = ("CANCELED", "FAILED", "FINISHED")
RESTART_MILLISECONDS = 500
STOP_SECONDS = 10
SLOTS = 8
"""Of a TaskManager: room for an old and a new job of four slots each."""


class FlinkParts:
    """A cluster, a pool of SDK workers and a job server that many cases share, while the ``with`` block runs.

    Args:
        directory: Where they keep their files.

    Attributes:
        directory: The same.
        checkpoints: Where Flink keeps the checkpoints of jobs that ask for them, a directory for each job.
        cluster: The cluster.
        workers: The pool of SDK workers.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkpoints = directory / "checkpoints"
        settings = {"state.checkpoints.dir": self.checkpoints.as_uri(), "state.storage.fs.memory-threshold": "0"}
        self.cluster = FlinkCluster(FLINK, directory / "flink", SLOTS, settings)
        self.workers = WorkerPool(directory / "workers.txt")
        self._job_port = free_port()
        self._parts = contextlib.ExitStack()

    def __enter__(self) -> FlinkParts:
        """Start them."""
        with contextlib.ExitStack() as parts:
            parts.enter_context(self.cluster)
            parts.enter_context(self.workers)
            server = start_child(
                [
                    "java",
                    f"-Djava.io.tmpdir={self.directory}",
                    "-jar",
                    str(JOB_SERVER),
                    f"--flink-master={self.cluster.address}",
                    f"--artifacts-dir={self.directory / 'artifacts'}",
                    f"--job-port={self._job_port}",
                    "--artifact-port=0",
                    "--expansion-port=0",
                ],
                dict(os.environ),
                self.directory / "job-server.txt",
                self.directory / "job-server.pid",
            )
            parts.callback(stop_child, server, STOP_SECONDS)
            await_until(lambda: is_listening(self._job_port), "the job server listens")
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them."""
        self._parts.close()

    def start_jobmanager(self) -> None:
        """Start another JobManager in the place of one that has ended, and wait for the TaskManagers to find it."""
        self.cluster.start_jobmanager()
        await_until(lambda: self.cluster.rest("/overview")["taskmanagers"] > 0, "a TaskManager is there")

    def start_pool(self) -> None:
        """Start another pool of workers, with the same address, in the place of one that has ended."""
        self.workers.__enter__()

    def run_flink(self, *arguments: str) -> None:
        """Run Flink's own command line, ``flink``, for the cluster."""
        run = subprocess.run(
            ["bash", str(FLINK / "bin" / "flink"), *arguments],
            env={**os.environ, "FLINK_CONF_DIR": str(self.directory / "flink" / "conf")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr

    def options(self, workers: WorkerPool) -> list[str]:
        """Return the options of ``run`` that submit a job to the cluster.

        Args:
            workers: The pool of its SDK workers.
        """
        return [
            "--runner=FlinkRunner",
            f"--flink_master={self.cluster.address}",
            f"--job_endpoint=127.0.0.1:{self._job_port}",
            "--environment_type=EXTERNAL",
            f"--environment_config={workers.address}",
            f"--execution_retry_delay={RESTART_MILLISECONDS}",
            "--allow_cleartext_keyset",
        ]


class FlinkCase(FaultCase):
    """A fault case whose jobs run on a cluster.

    Args:
        parts: The cluster and what belongs to it.
        queue: The queue itself.
        endpoint: The URL of its API.
        dsn: The database itself.
        keyset: The keyset's URI.
        directory: Where temporary files go.
        record: Keeps the account for the report.
    """

    def __init__(
        self,
        parts: FlinkParts,
        queue: SqsQueue,
        endpoint: str,
        dsn: str,
        keyset: str,
        directory: Path,
        record: Record,
    ) -> None:
        super().__init__(queue, endpoint, dsn, keyset, directory, record)
        self.parts = parts
        self.keyset = keyset
        self._started_before = {job["jid"] for job in parts.cluster.rest("/jobs/overview")["jobs"]}

    def __enter__(self) -> FlinkCase:
        """Put the proxies in place."""
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Cancel what still runs."""
        for job in self.jobs:
            job.kill()
        for unfinished in self._unfinished():
            self.parts.cluster.rest(f"/jobs/{unfinished['jid']}", "PATCH")
        await_until(lambda: not self._unfinished(), "the jobs have ended")
        super().__exit__(*error)

    def submit(self, *options: str, workers: WorkerPool | None = None) -> JobProcess:
        """Submit the job, and return when all of it runs.

        Args:
            options: Its options beside those that name its parts.
            workers: Another pool of workers than the shared one.
        """
        before = set(self.running())
        flink = self.parts.options(workers or self.parts.workers)
        submission = self.start(*flink, *options)
        try:
            await_until(
                lambda: bool(set(self.running()) - before) or not submission.is_running(), "the job runs", seconds=300
            )
            assert submission.is_running()
        except AssertionError:
            submission.kill()
            raise AssertionError(f"the job does not run: {submission.errors}{self.failures()}") from None
        return submission

    def cancel(self, submission: JobProcess) -> None:
        """Cancel the first of the case's jobs at Flink, as ``flink cancel`` does, and return when it has ended."""
        first, *others = sorted(self._unfinished(), key=lambda job: int(job["start-time"]))
        self.parts.cluster.rest(f"/jobs/{first['jid']}", "PATCH")
        await_until(lambda: len(self._unfinished()) == len(others), "Flink has ended the job")
        submission.kill()

    def running(self) -> list[str]:
        """Return the ids of the case's jobs of which every task runs or has done its work."""
        return [
            str(job["jid"])
            for job in self._unfinished()
            if job["state"] == "RUNNING" and job["tasks"]["running"] + job["tasks"]["finished"] == job["tasks"]["total"]
        ]

    def await_extended_lease(self) -> None:
        """Return when the job has asked the queue to keep messages invisible for longer."""
        await_until(lambda: self.sqs.requests["ChangeMessageVisibilityBatch"] > 0, "the lease is extended")

    def failures(self) -> str:
        """Return what Flink tells of the failures of the case's jobs."""
        return "".join(str(self.parts.cluster.rest(f"/jobs/{job['jid']}/exceptions")) for job in self._unfinished())

    def in_the_clear(self) -> list[str]:
        """Return where clear personal data are, in all that Flink and its workers have written, too."""
        files = (path for path in self.parts.directory.rglob("*") if path.is_file() and not path.is_symlink())
        return super().in_the_clear() + [path.name for path in files if _is_marked(path)]

    def _unfinished(self) -> list[dict[str, Any]]:
        jobs = self.parts.cluster.rest("/jobs/overview")["jobs"]
        return [job for job in jobs if job["jid"] not in self._started_before and job["state"] not in ENDED]


def workers_of(pool: WorkerPool) -> list[psutil.Process]:
    """Return the SDK workers that a pool has started and that still run."""
    children: list[psutil.Process] = psutil.Process(pool.process.pid).children(recursive=True)
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]


def kill_with_workers(pool: WorkerPool) -> None:
    """Kill a pool and its workers, as the end of their machine would."""
    os.killpg(pool.process.pid, signal.SIGKILL)
    stop_child(pool.process, seconds=0)


@contextlib.contextmanager
def workers_of_another_version(directory: Path, file: str, old: str, new: str) -> Iterator[WorkerPool]:
    """Have a pool run whose workers have the job's code, but for one change.

    Args:
        directory: Where the copy of the code goes.
        file: The file that is changed.
        old: What is in it once.
        new: What is put in its place.
    """
    for package in CODE:
        shutil.copytree(PROJECT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
    changed = directory / file
    code = changed.read_text()
    assert code.count(old) == 1
    changed.write_text(code.replace(old, new))
    # Safe path: or the directory in which the tests run would come before the copy.
    environment = {"PYTHONPATH": str(directory), "PYTHONSAFEPATH": "1"}
    with WorkerPool(directory / "workers.txt", environment=environment) as pool:
        yield pool


def _is_marked(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return is_marked(path.read_bytes().decode(errors="replace"))
    return False


def vertices(rest: Any) -> dict[str, str]:
    """Return the state of each operator of a job, by its name."""
    return {str(vertex["name"]): str(vertex["status"]) for vertex in rest["vertices"]}
