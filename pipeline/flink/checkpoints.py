"""Flink's checkpoints and savepoints of the job: off unless asked for, and refused where they would disturb it.

They hold where each poller stands, and neither a message nor a key. Nothing of the job depends on one: after any
failure the pollers start again, and SQS brings back what was not deleted.

Source: https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/ops/state/savepoints/
"""

from __future__ import annotations

from apache_beam.options.pipeline_options import PipelineOptions

from maskline.errors import UsageError
from maskline.pipeline.job_settings import JobSettings

MIN_INTERVAL_MILLISECONDS = 1_000
"""For polls that do not wait at all."""

FINISH_BUNDLE_FIRST = "finish_bundle_before_checkpointing"
"""Or what a bundle emits once the snapshot has begun is kept in the checkpoint until the operator's next bundle.

The operator that starts the pollers has one bundle in its life: cut by a checkpoint, its pollers would never poll.
"""

DO_NOT_CHAIN = "operator_chaining"
"""Or a savepoint of one slot would fit no job of more.

Flink knows the operator that starts the pollers, which Beam leaves without an id, by what it is chained to, and with
one slot that is another operator. Nothing else of the job is chained.
"""

TOLERATE_FAILED_CHECKPOINTS = "fail_on_checkpointing_errors"
"""Or the job would be started again for a checkpoint that failed, of which it needs none."""

FLAGS = (FINISH_BUNDLE_FIRST, DO_NOT_CHAIN, TOLERATE_FAILED_CHECKPOINTS)
"""Beam makes the flag of an option that is on by default turn it off, as it is with the last two."""


def checkpoint_defaults(options: PipelineOptions) -> list[str]:
    """Return the flags with which checkpoints and savepoints do not disturb the job.

    Args:
        options: The user's.
    """
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    return [f"--{name}" for name in FLAGS if name not in given]


def check_checkpoints(options: PipelineOptions, job: JobSettings) -> None:
    """Reject checkpoints that would follow each other without a pause, or from which another parallelism cannot resume.

    Args:
        options: Beam's options.
        job: The job, with the length of its polls.

    Raises:
        UsageError: The interval is no number or too short, or how many key groups there are is left to chance.
    """
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    asked_for = [name for name in ("checkpointing_interval", "savepoint_path") if name in given]
    if not asked_for:
        return
    if "checkpointing_interval" in given:
        _check_interval(str(given["checkpointing_interval"]), job)
    if "max_parallelism" not in given:
        raise UsageError(
            f"max_parallelism: is missing, and {asked_for[0]} is given; a job goes on only from a checkpoint or "
            "savepoint that has the same, and never has more slots than that: give the most that you will want (16)"
        )


def _check_interval(text: str, job: JobSettings) -> None:
    long_poll_seconds = job.receive.long_poll_seconds
    least = max(long_poll_seconds * 1_000, MIN_INTERVAL_MILLISECONDS)
    if not text.isdecimal() or int(text) < least:
        raise UsageError(
            f"checkpointing_interval is {text}; it must be {least} milliseconds or more, for a checkpoint waits until "
            f"the polls under way have ended (long_poll_seconds is {long_poll_seconds}), and the next would follow at "
            "once"
        )
