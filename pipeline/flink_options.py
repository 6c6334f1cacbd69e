"""What the job needs of Flink, set where the user did not say otherwise, and refused where it cannot work."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, PortableOptions
from psycopg2.extensions import parse_dsn

from maskline.errors import UsageError
from pipeline.job import JobSettings

FLINK_VERSION = "1.19"
DEFAULTS = {
    # A bundle behind the source ends after so long, and a row is visible no later than that.
    "max_bundle_time_mills": "200",
    # SQS is the checkpoint: after any failure the pollers start again.
    "number_of_execution_retries": "1000000",
    "execution_retry_delay": "10000",
}
"""Options of Beam's Flink runner that Beam's Python does not know and passes on."""

_MAGIC_MASTERS = ("[local]", "[auto]")
_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")


def set_flink_defaults(options: PipelineOptions, stream: str) -> PipelineOptions:
    """Return options with what the job needs of Flink.

    Args:
        options: The user's; each of them stays.
        stream: The stream's name, which the job's name ends in.
    """
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    missing = [f"--{name}={value}" for name, value in DEFAULTS.items() if name not in given]
    if "flink_version" not in given:
        missing.append(f"--flink_version={FLINK_VERSION}")
    if "job_name" not in given:
        missing.append(f"--job_name=maskline-{stream}")
    if "--streaming" not in options._flags:
        missing.append("--streaming")
    return PipelineOptions([*options._flags, *missing])


def check_flink_options(options: PipelineOptions, job: JobSettings) -> None:
    """Refuse parts on this machine's loopback that workers elsewhere cannot reach.

    Args:
        options: Beam's options.
        job: The job.

    Raises:
        UsageError: The cluster is elsewhere, and the database or the queue is not.
    """
    master = options.view_as(FlinkRunnerOptions).flink_master
    environment = options.view_as(PortableOptions).environment_type
    if environment == "LOOPBACK" or _is_here(master):
        return
    parameters: dict[str, Any] = parse_dsn(job.postgres)
    host = str(parameters.get("host", ""))
    if "service" not in parameters and (host in _LOOPBACK or host.startswith("/")):
        raise UsageError(
            f"postgres: is on this machine's loopback, and the workers of {master} are not on this machine; give a "
            "host that they reach"
        )
    endpoint = job.queue.service_endpoint
    if endpoint and urlsplit(endpoint).hostname in _LOOPBACK:
        raise UsageError(
            f"queue {job.queue}: is on this machine's loopback, and the workers of {master} are not on this machine"
        )


def _is_here(master: str) -> bool:
    if master in _MAGIC_MASTERS:
        return master == "[local]"
    return urlsplit(master if "://" in master else f"http://{master}").hostname in _LOOPBACK
