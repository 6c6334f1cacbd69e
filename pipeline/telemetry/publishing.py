"""Sending a run's metrics periodically, beside the run, which a slow or absent receiver does not hold up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import Metric

from maskline.errors import ArgumentError

LAST_SECONDS = 5.0
"""How long the last time, at the end of a run, may take."""

Publish = Callable[[Iterable[Metric]], None]
"""Sends metrics once; what it raises is logged, and the next time is another try."""

logger = logging.getLogger(__name__)


class Publishing:
    """Sends metrics periodically while the ``with`` block runs, and once more when it ends.

    Args:
        collect: Returns the metrics of the moment.
        publish: Sends them.
        seconds: How long to wait from one time to the next, 1 or more.
        last_seconds: How long the last time may take.

    Raises:
        ArgumentError: `seconds` is out of range.
    """

    def __init__(
        self,
        collect: Callable[[], Iterable[Metric]],
        publish: Publish,
        seconds: float,
        last_seconds: float = LAST_SECONDS,
    ) -> None:
        if not seconds >= 1:
            raise ArgumentError(f"publish_seconds is {seconds}; it must be 1 or more")
        self._collect = collect
        self._publish = publish
        self._seconds = seconds
        self._last_seconds = last_seconds
        self._ended = threading.Event()
        self._has_failed = False

    def __enter__(self) -> Publishing:
        """Start sending."""
        self._thread = threading.Thread(target=self._keep_publishing, name="publish-metrics", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send the metrics once more, and stop."""
        self._ended.set()
        self._thread.join(self._last_seconds)

    def publish(self) -> None:
        """Send the current metrics. The first of several failures in a row is logged."""
        try:
            self._publish(self._collect())
        except Exception as error:  # metrics are no reason to end a job
            if not self._has_failed:
                logger.warning("metrics were not sent, and are tried again: %s", type(error).__name__)
            self._has_failed = True
            return
        self._has_failed = False

    def _keep_publishing(self) -> None:
        while not self._ended.wait(self._seconds):
            self.publish()
        self.publish()
