"""How the parts outside a job, its queue, its database and its keyset, are asked whether they are available."""

from __future__ import annotations

import time
from collections.abc import Callable

from maskline.errors import DatabaseUnavailableError
from maskline.pipeline.bounded_connection import bounded_connection
from maskline.pipeline.http.readiness import FRESH_SECONDS, Part
from maskline.pipeline.job_settings import JobSettings
from maskline.sqs import SqsQueue
from maskline.sqs.client import QueueDepth

DATABASE_SECONDS = 5.0
KEYSET_SECONDS = 60.0
"""Every time is a call of KMS or Secrets Manager, which bill it and write it down."""


class DepthGauge:
    """Remembers the depth of a queue, until it is too old to be shown.

    Args:
        job: The job whose queue it is.
        clock: Monotonic time in seconds.
    """

    def __init__(self, job: JobSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._seen: tuple[float, QueueDepth] | None = None

    def measure(self) -> None:
        """Ask the queue.

        Raises:
            MasklineError: It did not answer, or may not be asked.
        """
        self.remember(SqsQueue.open(self._job.queue).depth())

    def remember(self, depth: QueueDepth) -> None:
        """Remember an answer."""
        self._seen = (self._clock(), depth)

    def depth(self) -> QueueDepth | None:
        """Return the depth, or None where the queue has not answered recently."""
        if self._seen is None or self._clock() - self._seen[0] > FRESH_SECONDS:
            return None
        return self._seen[1]


def outside_parts(job: JobSettings, depth: DepthGauge) -> dict[str, Part]:
    """Return the parts outside a job.

    Args:
        job: The job.
        depth: Is told the depth of the queue each time that it is asked.
    """
    return {
        "queue": Part(depth.measure),
        "database": Part(lambda: _ask_database(job)),
        "keyset": Part(job.keyset.open, KEYSET_SECONDS),
    }


def _ask_database(job: JobSettings) -> None:
    with bounded_connection(job.postgres, DATABASE_SECONDS, "a readiness check") as connection:
        ((is_standby,),) = connection.execute("SELECT pg_is_in_recovery()").fetchall()
    if is_standby:
        raise DatabaseUnavailableError("postgres: the server is a standby, and takes no rows")
