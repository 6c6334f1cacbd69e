"""Parts of a job on this machine's loopback, which workers on other machines cannot reach."""

from __future__ import annotations

from urllib.parse import urlsplit

from maskline.errors import UsageError
from maskline.pipeline.job_settings import JobSettings

LOOPBACK_HOSTS = ("", "localhost", "127.0.0.1", "::1")


def check_reachable(job: JobSettings, cluster: str) -> None:
    """Check that database and queue can be reached from other machines.

    Args:
        job: The job.
        cluster: What runs it, on other machines.

    Raises:
        UsageError: The database or the queue is on this machine's loopback.
    """
    parameters = job.postgres.parameters
    host = parameters.get("host", "")
    if "service" not in parameters and (host in LOOPBACK_HOSTS or host.startswith("/")):
        raise UsageError(
            f"postgres: is on this machine's loopback, and the workers of {cluster} are not on this machine; give a "
            "host that they reach"
        )
    endpoint = job.queue.service_endpoint
    if endpoint and urlsplit(endpoint).hostname in LOOPBACK_HOSTS:
        raise UsageError(
            f"queue {job.queue}: is on this machine's loopback, and the workers of {cluster} are not on this machine"
        )
