"""A job to start, as in the end-to-end tests."""

from __future__ import annotations

from tests.e2e.conftest import job_options, ledger, start_job

__all__ = ["job_options", "ledger", "start_job"]
