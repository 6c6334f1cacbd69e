"""The options that the job needs of Flink, set where the user did not, and checks of what cannot work."""

from __future__ import annotations

from urllib.parse import urlsplit

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

from maskline.pipeline.flink.checkpoints import check_checkpoints, checkpoint_defaults
from maskline.pipeline.flink.environment import check_environment, environment_defaults
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.loopback import LOOPBACK_HOSTS, check_reachable

FLINK_VERSION = "1.19"
DEFAULTS = {
    # A bundle behind the source ends after so long, and a row is visible no later than that.
    "max_bundle_time_mills": "200",
    # SQS is the checkpoint: after any failure the pollers start again.
    "number_of_execution_retries": "1000000",
    "execution_retry_delay": "10000",
}
"""Options of Beam's Flink runner that Beam's Python does not know and passes on."""

KEY_GROUPS_OF_A_SLOT = 4
"""Beam's runner before 2.76 keeps 0.7 KB a poll for each key group of a slot; by default Flink has 128."""

MAGIC_MASTERS = ("[local]", "[auto]")
"""A Flink in the job server's own process, and, for a jar, the cluster that it will be submitted to."""


def set_flink_defaults(options: PipelineOptions, job: JobSettings) -> PipelineOptions:
    """Return options with the defaults that the job needs of Flink.

    Args:
        options: The user's; each of them stays.
        job: The job; its pollers get a slot each, and its stream is in its name.
    """
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    parallelism = int(given.get("parallelism", job.pollers))
    defaults = DEFAULTS | {
        "flink_version": FLINK_VERSION,
        "job_name": f"maskline-{job.stream.name.replace(',', '-')}",
        "parallelism": str(parallelism),
        "max_parallelism": str(_key_groups(parallelism)),
    }
    missing = [f"--{name}={value}" for name, value in defaults.items() if name not in given]
    if "--streaming" not in options._flags:
        missing.append("--streaming")
    return PipelineOptions([*options._flags, *missing, *checkpoint_defaults(options), *environment_defaults(options)])


def _key_groups(parallelism: int) -> int:
    """Return how many key groups are few, and yet spread pollers over the slots as well as many do."""
    return 1 if parallelism == 1 else KEY_GROUPS_OF_A_SLOT * parallelism


def check_flink_options(options: PipelineOptions, job: JobSettings) -> None:
    """Check that a job can run on Flink: its checkpoints, its environment, and parts that workers have to reach.

    Args:
        options: Beam's options.
        job: The job.

    Raises:
        UsageError: Checkpoints or the environment cannot work, or the cluster is elsewhere, and the database or the
            queue is not.
    """
    check_checkpoints(options, job)
    master = options.view_as(FlinkRunnerOptions).flink_master
    is_elsewhere = master not in MAGIC_MASTERS and not _is_here(master)
    check_environment(options, is_elsewhere)
    if is_elsewhere:
        check_reachable(job, str(master))


def _is_here(master: str) -> bool:
    return urlsplit(master if "://" in master else f"http://{master}").hostname in LOOPBACK_HOSTS
