"""Percentiles of latencies, by HdrHistogram: exact to three digits however far out, and none left away.

Source: https://hdrhistogram.github.io/HdrHistogram/
"""

from __future__ import annotations

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

MAX_SECONDS = 3600
DIGITS = 3
CURVE_PERCENTILES = (*range(0, 90, 5), 90, 92, 94, 96, 98, 99, 99.5, 99.9, 100)


class Latencies:
    """Latencies of which only how often each occurred is kept.

    Args:
        seconds: The latencies.
    """

    def __init__(self, seconds: Iterable[float]) -> None:
        self._histogram = HdrHistogram(1, MAX_SECONDS * 1_000_000, DIGITS)
        for latency in seconds:
            self._histogram.record_value(max(1, round(latency * 1_000_000)))

    def milliseconds(self, percentile: float) -> float:
        """Return the latency that so many of a hundred do not exceed.

        Args:
            percentile: 0 to 100.
        """
        return float(self._histogram.get_value_at_percentile(percentile)) / 1000

    def curve(self) -> list[tuple[float, float]]:
        """Return latencies in milliseconds over percentiles, closer together toward the end."""
        return [(percentile, self.milliseconds(percentile)) for percentile in CURVE_PERCENTILES]
