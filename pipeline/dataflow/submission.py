"""A job that Dataflow has accepted: where it is shown, how it is canceled, and what its end means."""

from __future__ import annotations

import logging
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.runner import PipelineState

from maskline.errors import RunnerError

ENDED_AS_ASKED = (PipelineState.CANCELLED, PipelineState.DRAINED, PipelineState.UPDATED)
"""The ends that someone asked Dataflow for. Beam takes each for a failure; none of them loses a message."""


def dataflow_failures() -> tuple[type[Exception], ...]:
    """Return the errors that Beam's Dataflow runner raises if Google rejects a request or cannot be reached."""
    # Here, for only a submission to Dataflow takes these packages.
    from apache_beam.runners.dataflow.internal.apiclient import DataflowJobAlreadyExistsError
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    return OSError, GoogleAPIError, GoogleAuthError, DataflowJobAlreadyExistsError


class DataflowJob:
    """A job that Dataflow has accepted.

    Args:
        result: What Beam's runner returned.
        options: Beam's options.

    Attributes:
        name: Its id at Dataflow, and the address at which Google's console shows it.
    """

    def __init__(self, result: Any, options: PipelineOptions) -> None:
        self._result = result
        google = options.view_as(GoogleCloudOptions)
        self._id = result.job_id()
        self.name = (
            f"{self._id} (https://console.cloud.google.com/dataflow/jobs/{google.region}/{self._id}"
            f"?project={google.project})"
        )

    def wait(self) -> str:
        """Wait for the end of the job, and return its state.

        Raises:
            RunnerError: It failed, or Dataflow no longer says how it is.
        """
        from apache_beam.runners.dataflow.dataflow_runner import DataflowRuntimeException

        # The first: Beam asked in vain, gave up, and takes the job's state for one that cannot be.
        unanswered: tuple[type[Exception], ...] = (AssertionError, *dataflow_failures())
        try:
            self._result.wait_until_finish()
            return str(self._result.state)  # of a job that had ended before, Beam raises nothing
        except DataflowRuntimeException as error:
            if error.result.state not in ENDED_AS_ASKED:
                raise RunnerError(f"dataflow: job {self.name} is {error.result.state}") from error
            return str(error.result.state)
        except unanswered as error:
            reason = str(error).splitlines()[0]
            raise RunnerError(
                f"dataflow: job {self.name} may run on: Dataflow does not say how it is ({reason})"
            ) from error

    def cancel(self) -> None:
        """Ask Dataflow to cancel the job.

        Raises:
            RunnerError: Dataflow cannot be asked.
        """
        from apache_beam.runners.dataflow import dataflow_runner

        # Beam calls it an error that a job has ended otherwise than done.
        logging.getLogger(dataflow_runner.__name__).setLevel(logging.CRITICAL)
        try:
            self._result.cancel()
        except (dataflow_runner.DataflowRuntimeException, *dataflow_failures()) as error:
            reason = str(error).splitlines()[0]
            raise RunnerError(f"dataflow: job {self.name} may run on: it cannot be canceled ({reason})") from error
