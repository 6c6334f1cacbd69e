"""Finding a submitted job at Flink, and canceling it.

At a Ctrl-C Beam's job server gives up its own waiting for a streaming job, and leaves the job itself running. So Flink
is asked. It knows the job by a mark among its options, which Flink shows in ``/jobs/JOB/config``; its name is not its
own, for an old and a new version of the job may run at once.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

from maskline.errors import RunnerError
from maskline.pipeline.flink.options import MAGIC_MASTERS
from maskline.pipeline.flink.rest import FlinkRest

APPEAR_SECONDS = 10
"""How long a job that its job server was about to submit may take until Flink knows it."""

END_SECONDS = 60
LOOK_SECONDS = 0.2
ENDED = ("CANCELED", "FAILED", "FINISHED")


class SubmissionOptions(PipelineOptions):
    """The option that marks a submission; Beam hands it on because it is declared."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument("--maskline_submission", help="marks a submission, so that it is found again at Flink")


class FlinkSubmission:
    """One submission to Flink.

    Args:
        options: Beam's options; they are given the mark.
    """

    def __init__(self, options: PipelineOptions) -> None:
        self._mark = uuid.uuid4().hex
        options.view_as(SubmissionOptions).maskline_submission = self._mark
        self._master = str(options.view_as(FlinkRunnerOptions).flink_master)

    def cancel(self) -> str | None:
        """Cancel the job at Flink, and wait until it has ended.

        Returns:
            The job's id at Flink, or None where Flink has no such job.

        Raises:
            RunnerError: Flink cannot be asked, or the job does not end.
        """
        if self._master in MAGIC_MASTERS:
            raise RunnerError(_runs_on(f"flink_master is {self._master}, which does not say where Flink is"))
        flink = FlinkRest(self._master)
        try:
            job_id = self._await_job(flink)
            if job_id is not None:
                flink.ask(f"/jobs/{job_id}?mode=cancel", "PATCH")
                _await_end(flink, job_id)
        except (OSError, ValueError) as error:
            raise RunnerError(_runs_on(f"{self._master} cannot be asked to cancel it ({error})")) from error
        return job_id

    def _await_job(self, flink: FlinkRest) -> str | None:
        give_up = time.monotonic() + APPEAR_SECONDS
        while (job_id := self._find_job(flink)) is None and time.monotonic() < give_up:
            time.sleep(LOOK_SECONDS)
        return job_id

    def _find_job(self, flink: FlinkRest) -> str | None:
        for job in flink.ask("/jobs/overview")["jobs"]:
            if job["state"] not in ENDED and _mark_of(flink.ask(f"/jobs/{job['jid']}/config")) == self._mark:
                return str(job["jid"])
        return None


def _mark_of(configuration: Any) -> str | None:
    mark: str | None = configuration.get("execution-config", {}).get("user-config", {}).get("masklineSubmission")
    return mark


def _await_end(flink: FlinkRest, job_id: str) -> None:
    give_up = time.monotonic() + END_SECONDS
    while (state := flink.ask(f"/jobs/{job_id}")["state"]) not in ENDED:
        if time.monotonic() > give_up:
            raise RunnerError(f"flink: job {job_id} was canceled, and is {state} still; look at Flink's interface")
        time.sleep(LOOK_SECONDS)


def _runs_on(reason: str) -> str:
    return f"flink: the job may run on: {reason}; look at Flink's interface, and cancel it there or with flink cancel"
