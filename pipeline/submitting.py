"""Submitting the job to a cluster, where its own metrics and its own interface show how it goes."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from maskline.errors import UnavailableError
from pipeline.job import JobSettings, build


def submit_job(job: JobSettings, options: PipelineOptions) -> int:
    """Submit the job, and wait until it ends; Ctrl-C cancels it.

    Args:
        job: The job.
        options: Beam's options, with the runner.

    Returns:
        0 when the job ended in an orderly way.

    Raises:
        UnavailableError: The runner could not be reached, or the job failed there.
    """
    pipeline = beam.Pipeline(options=options)
    build(pipeline, job)
    try:
        result = pipeline.run()
        try:
            result.wait_until_finish()
        except KeyboardInterrupt:
            result.cancel()
    except (RuntimeError, OSError) as error:
        raise UnavailableError(f"the runner reported: {str(error).splitlines()[0]}") from error
    return 0
