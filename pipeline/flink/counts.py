"""The counts of a job on Flink, read from the metrics of its operators by Flink's REST API.

Source: https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/ops/metrics/#rest-api-integration
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterator
from urllib.parse import quote

from maskline.pipeline.flink.local_cluster import FlinkCluster
from maskline.pipeline.job import BRANCHES
from maskline.transforms.metrics import NAMESPACE, REJECTED_PREFIX, branch_metric

COUNTERS = (
    *("received", "written", "duplicates", "suppressed", "rejected", "extra_fields", "invalid_values"),
    *("deleted", "delete_failures", "db_retries", "left"),
)
METRICS_PER_REQUEST = 10
"""Flink reads no more than 4,096 characters of a request line, and a metric's id has the names of all its steps."""


class FlinkCounts:
    """Reads the counts of a job.

    Args:
        cluster: The cluster.
        job_id: The job's id at Flink.
    """

    def __init__(self, cluster: FlinkCluster, job_id: str) -> None:
        self._cluster = cluster
        self._job = f"/jobs/{job_id}"

    def counts(self) -> Counts[str]:
        """Return all counts, of all branches together; a name never counted counts 0."""
        counts: Counts[str] = Counts()
        for vertex in self._cluster.rest(self._job)["vertices"]:
            for name, value in self._metrics(f"{self._job}/vertices/{vertex['id']}/subtasks/metrics"):
                counts[_without_branch(name)] += value
        return counts

    def causes(self) -> Counts[str]:
        """Return no causes: Flink has no metric of them."""
        return Counts()

    def _metrics(self, path: str) -> Iterator[tuple[str, int]]:
        mark = f".{NAMESPACE}_"
        ids = [metric["id"] for metric in self._cluster.rest(path) if mark in metric["id"]]
        for start in range(0, len(ids), METRICS_PER_REQUEST):
            asked = quote(",".join(ids[start : start + METRICS_PER_REQUEST]))
            for metric in self._cluster.rest(f"{path}?get={asked}&agg=sum"):
                yield metric["id"].rpartition(mark)[2], int(metric["sum"])


def _without_branch(name: str) -> str:
    for branch in BRANCHES:
        base = name.removeprefix(branch_metric("", branch))
        if base != name and (base in COUNTERS or base.startswith(REJECTED_PREFIX)):
            return base
    return name
