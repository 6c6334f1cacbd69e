"""Checks of a submission to Dataflow."""

from __future__ import annotations

import importlib
from urllib.parse import urlsplit

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from maskline.extras import naming_extra
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.loopback import LOOPBACK_HOSTS, check_reachable

_PACKAGES = ("google.cloud.dataflow", "google.cloud.storage", "google_auth_httplib2")
"""What Beam imports for a submission; without one of them it says so only once all else is checked."""


def check_dataflow_options(options: PipelineOptions, job: JobSettings) -> None:
    """Check that a job can run on Dataflow; Beam itself checks the options that Dataflow needs.

    Args:
        options: Beam's options.
        job: The job.

    Raises:
        MissingExtraError: A package that a submission takes is not installed.
        UsageError: The database or the queue is on this machine's loopback, and Dataflow's workers are not.
    """
    with naming_extra("the runner DataflowRunner", "dataflow"):
        for package in _PACKAGES:
            importlib.import_module(package)
    if not _is_local_endpoint(options):
        check_reachable(job, "Dataflow")


def _is_local_endpoint(options: PipelineOptions) -> bool:
    """Return whether Dataflow's API is served on this machine, that is by a stand-in for tests."""
    endpoint = str(options.view_as(GoogleCloudOptions).dataflow_endpoint)
    return urlsplit(endpoint).hostname in LOOPBACK_HOSTS
