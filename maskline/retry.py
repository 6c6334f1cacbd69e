"""Trying again while the database, or another part, is away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import tenacity

from maskline.errors import DatabaseUnavailableError, UnavailableError

FIRST_WAIT_SECONDS = 0.1
MAX_WAIT_SECONDS = 10.0


def retrying(
    retry_seconds: float,
    stopping: threading.Event,
    before_retry: Callable[[tenacity.RetryCallState], None],
    on: type[UnavailableError] = DatabaseUnavailableError,
) -> tenacity.Retrying:
    """Return what calls a function again, with exponential back-off and jitter, while a part is not available.

    Args:
        retry_seconds: For how long; then the last error is raised.
        stopping: When set, retrying ends.
        before_retry: Called before each wait.
        on: What stands for a part that is not available: Postgres, if not said otherwise.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(on),
        stop=tenacity.stop_after_delay(retry_seconds) | tenacity.stop_when_event_set(stopping),
        wait=tenacity.wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=MAX_WAIT_SECONDS),
        sleep=tenacity.sleep_using_event(stopping),
        before_sleep=before_retry,
        reraise=True,
    )


def log_retry(logger: logging.Logger, what: str) -> Callable[[tenacity.RetryCallState], None]:
    """Return what logs each failure that is tried again.

    Args:
        logger: The logger of whoever tries.
        what: What failed: publishing, say.
    """

    def log(attempt: tenacity.RetryCallState) -> None:
        if attempt.outcome is not None:
            logger.warning("%s failed, trying again: %s", what, attempt.outcome.exception())

    return log
