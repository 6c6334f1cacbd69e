"""Percentiles: those of the values that were put in."""

from __future__ import annotations

import pytest

from benchmarks.percentiles import Latencies


def test_a_percentile_is_that_of_the_values_to_three_digits() -> None:
    latencies = Latencies(milliseconds / 1000 for milliseconds in range(1, 1001))

    assert latencies.milliseconds(50) == pytest.approx(500, rel=0.001)
    assert latencies.milliseconds(99) == pytest.approx(990, rel=0.001)
    assert latencies.milliseconds(100) == pytest.approx(1000, rel=0.001)


def test_one_straggler_among_many_is_not_lost() -> None:
    latencies = Latencies([0.01] * 9_999 + [30.0])

    assert latencies.milliseconds(99.9) == pytest.approx(10, rel=0.001)
    assert latencies.milliseconds(100) == pytest.approx(30_000, rel=0.001)


def test_the_curve_rises_to_the_longest() -> None:
    curve = Latencies([0.01, 0.02, 0.5]).curve()

    assert [latency for _, latency in curve] == sorted(latency for _, latency in curve)
    assert curve[-1] == pytest.approx((100, 500), rel=0.001)
