"""Fetching the objects in S3 that messages point to, from a DoFn: with retries, and a failure is kept for the run."""

from __future__ import annotations

import logging

from maskline.errors import PayloadUnavailableError
from maskline.records import Payload
from maskline.retry import log_retry, retrying
from maskline.streams.payloads import PayloadStore
from maskline.transforms.run_context import RunContext

RETRY_SECONDS = 300.0
"""How long fetching an object is retried while S3 does not answer as it should; then the bundle fails."""

logger = logging.getLogger(__name__)


class RetriedPayloads:
    """A store whose fetches are retried with exponential back-off, until the run is stopped or time is up.

    Args:
        payloads: The store.
        context: The run.
        retry_seconds: How long fetching an object is retried.
    """

    def __init__(self, payloads: PayloadStore, context: RunContext, retry_seconds: float = RETRY_SECONDS) -> None:
        self._payloads = payloads
        self._context = context
        self._retry_seconds = retry_seconds

    def fetch(self, payload: Payload, max_bytes: int) -> bytes:
        """Return an object's content; see `PayloadStore.fetch`."""
        before_retry = log_retry(logger, "fetching an object that a message points to")
        retry = retrying(self._retry_seconds, self._context.stopping, before_retry, PayloadUnavailableError)
        with self._context.reporting_failures():
            return retry(self._payloads.fetch, payload, max_bytes)
