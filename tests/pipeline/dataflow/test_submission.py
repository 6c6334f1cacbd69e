"""How a job at Dataflow ended is told from how it failed, and one that may run on is never passed over in silence."""

from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

pytest.importorskip("google.cloud.dataflow", reason="the extra dataflow is not installed")

from apache_beam.runners.dataflow.dataflow_runner import DataflowRuntimeException
from google.api_core.exceptions import Forbidden

from maskline.errors import RunnerError
from maskline.pipeline.dataflow.submission import DataflowJob

OPTIONS = PipelineOptions(["--project=shop", "--region=europe-west3"])
NAME = r"job-1 \(https://console.cloud.google.com/dataflow/jobs/europe-west3/job-1\?project=shop\)"


class Result:
    """What Beam's runner returns, of a job whose end is known.

    Args:
        state: Its last state.
        failure: What asking about it, or canceling it, raises.
    """

    def __init__(self, state: str, failure: Exception | None = None) -> None:
        self.state = state
        self._failure = failure

    def job_id(self) -> str:
        return "job-1"

    def wait_until_finish(self) -> None:
        self.cancel()
        if self.state != "DONE":  # as Beam's own does
            raise DataflowRuntimeException(f"Dataflow pipeline failed. State: {self.state}, Error:\nNone", self)

    def cancel(self) -> None:
        if self._failure is not None:
            raise self._failure


class EndedBefore(Result):
    """The same, where the job had ended before Beam was asked to wait: it raises for none but a failed one then."""

    def wait_until_finish(self) -> None:
        pass


@pytest.mark.parametrize("state", ["DONE", "CANCELLED", "DRAINED", "UPDATED"])
def test_an_end_that_was_asked_for_is_no_failure(state: str) -> None:
    assert DataflowJob(Result(state), OPTIONS).wait() == state


def test_a_job_that_had_ended_before_it_was_waited_for_ended_as_it_did() -> None:
    assert DataflowJob(EndedBefore("CANCELLED"), OPTIONS).wait() == "CANCELLED"


def test_a_job_that_failed_is_told_with_where_to_look() -> None:
    with pytest.raises(RunnerError, match=rf"^dataflow: job {NAME} is FAILED$"):
        DataflowJob(Result("FAILED"), OPTIONS).wait()


@pytest.mark.parametrize("failure", [AssertionError("Job did not end"), Forbidden("not yours"), OSError("no route")])
def test_a_job_that_cannot_be_followed_may_run_on(failure: Exception) -> None:
    with pytest.raises(RunnerError, match=rf"^dataflow: job {NAME} may run on: Dataflow does not say how it is"):
        DataflowJob(Result("RUNNING", failure), OPTIONS).wait()


def test_a_job_that_cannot_be_canceled_may_run_on() -> None:
    with pytest.raises(
        RunnerError, match=rf"^dataflow: job {NAME} may run on: it cannot be canceled \(403 not yours\)$"
    ):
        DataflowJob(Result("RUNNING", Forbidden("not yours")), OPTIONS).cancel()
