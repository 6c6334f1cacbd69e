"""What the processes of a job on Flink use: the TaskManager's heap and the SDK worker's memory, threads and sockets."""

from __future__ import annotations

import re
import subprocess

import msgspec
import psutil

from tests.faults.watching import ResourceWatch, Use
from tests.flink.submitted_job import SubmittedJob

_COUNT = "maskline_batch_size_count"
_HEAP_USED = re.compile(r"heap.* used (\d+)K")


class ClusterUse(msgspec.Struct, frozen=True):
    """What a job on Flink used at one moment.

    Attributes:
        calls: How many micro-batches of rows it had written.
        heap_bytes: The TaskManager's heap after a full collection.
        taskmanager: The TaskManager.
        worker: The SDK worker.
    """

    calls: int
    heap_bytes: int
    taskmanager: Use
    worker: Use


def look(job: SubmittedJob) -> ClusterUse:
    """Collect the TaskManager's garbage, and look."""
    taskmanager = _java(job.cluster.taskmanagers[-1].pid)
    return ClusterUse(
        calls=written_batches(job),
        heap_bytes=_heap_after_collection(taskmanager),
        taskmanager=ResourceWatch(taskmanager).look(),
        worker=ResourceWatch(_worker(job)).look(),
    )


def written_batches(job: SubmittedJob) -> int:
    """Return how many micro-batches of rows Flink knows to be written."""
    for vertex in job.rest()["vertices"]:
        path = f"/vertices/{vertex['id']}/subtasks/metrics"
        names = [metric["id"] for metric in job.rest(path) if metric["id"].endswith(f".{_COUNT}")]
        for name in names:
            (metric,) = job.rest(f"{path}?get={name}&agg=sum")
            return int(metric["sum"])
    return 0


def _heap_after_collection(pid: int) -> int:
    _jcmd(pid, "GC.run")
    used = _HEAP_USED.search(_jcmd(pid, "GC.heap_info"))
    assert used is not None, "jcmd says how much of the heap is used"
    return int(used[1]) * 1024


def _jcmd(pid: int, command: str) -> str:
    return subprocess.run(["jcmd", str(pid), command], capture_output=True, text=True, check=True).stdout


def _java(pid: int) -> int:
    """Return the Java process among a script and its children."""
    script = psutil.Process(pid)
    (java,) = [process.pid for process in (script, *script.children(recursive=True)) if process.name() == "java"]
    return int(java)


def _worker(job: SubmittedJob) -> int:
    pool = psutil.Process(job.workers.process.pid)
    (worker,) = [child.pid for child in pool.children(recursive=True) if "SdkHarness" in " ".join(child.cmdline())]
    return int(worker)
