"""The last quarter of an hour of a run, in samples, for its page."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from maskline.pipeline.run_state import RunState
from maskline.sqs.client import QueueDepth
from maskline.transforms.tally import HISTOGRAM_BOUNDS, Histogram

SAMPLE_SECONDS = 2.0
KEPT_SECONDS = 900.0
_LATENCY = "end_to_end_latency_milliseconds"


class Sample(msgspec.Struct, frozen=True):
    """A run at one moment. Counts are totals; a rate is the difference of two samples.

    Attributes:
        at: When, in seconds since the epoch.
        received: Messages received.
        written: Rows inserted.
        duplicates: Messages whose outcome was there before.
        rejected: Messages rejected.
        rejected_by_reason: The same by reason.
        deleted: Messages deleted.
        delete_failures: Messages that could not be deleted.
        db_retries: Times a micro-batch was tried again.
        in_flight: Messages received and not deleted yet.
        oldest_message_seconds: About how old the queue's oldest message is, if that is known.
        latency_seconds: What 95 of 100 rows written since the sample before took from the queue to their commit at
            most, by the bounds of the histogram; None where none was written.
        visible: Messages waiting in the queue, if that is known.
        invisible: Messages of the queue in flight with any consumer, if that is known.
        delayed: Messages of the queue not to be received yet, if that is known.
    """

    at: float
    received: int
    written: int
    duplicates: int
    rejected: int
    rejected_by_reason: dict[str, int]
    deleted: int
    delete_failures: int
    db_retries: int
    in_flight: int
    oldest_message_seconds: float | None
    latency_seconds: float | None
    visible: int | None
    invisible: int | None
    delayed: int | None


class SampleRing:
    """Takes a sample every two seconds while the ``with`` block runs, and keeps those of the last 15 minutes.

    Args:
        state: Returns the state of the run.
        depth: Returns the depth of the queue, or None where it is not known.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        state: Callable[[], RunState],
        depth: Callable[[], QueueDepth | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._depth = depth
        self._clock = clock
        self._latency = Histogram()
        self._samples: deque[Sample] = deque(maxlen=round(KEPT_SECONDS / SAMPLE_SECONDS) + 1)
        self._ended = threading.Event()

    def __enter__(self) -> SampleRing:
        """Start taking samples."""
        self.take()
        threading.Thread(target=self._keep_taking, name="samples", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop taking samples."""
        self._ended.set()

    def take(self) -> None:
        """Take a sample now."""
        state = self._state()
        latency = state.histograms.get(_LATENCY, Histogram())
        self._samples.append(self._sample(state, _percentile_since(self._latency, latency, 0.95)))
        self._latency = latency

    def samples(self) -> Sequence[Sample]:
        """Return the samples, the oldest first, and last the state of this moment."""
        taken = list(self._samples)
        return [*taken, self._sample(self._state(), taken[-1].latency_seconds if taken else None)]

    def _sample(self, state: RunState, latency_seconds: float | None) -> Sample:
        counts, depth = state.counts, self._depth()
        return Sample(
            round(self._clock(), 3),
            counts.received,
            counts.written,
            counts.duplicates,
            counts.rejected,
            dict(counts.rejected_by_reason),
            counts.deleted,
            counts.delete_failures,
            counts.db_retries,
            state.in_flight,
            state.oldest_message_seconds,
            latency_seconds,
            None if depth is None else depth.visible,
            None if depth is None else depth.in_flight,
            None if depth is None else depth.delayed,
        )

    def _keep_taking(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.take()


def _percentile_since(before: Histogram, now: Histogram, share: float) -> float | None:
    count = now.count - before.count
    if count <= 0:
        return None
    up_to = [late - early for early, late in zip(before.up_to, now.up_to, strict=True)]
    place = bisect_left(up_to, share * count)
    bound: int = HISTOGRAM_BOUNDS[min(place, len(HISTOGRAM_BOUNDS) - 1)]
    return bound / 1000
