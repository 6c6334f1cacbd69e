"""The figures of a transfer, from arrivals and samples written out."""

from __future__ import annotations

import math

import pytest

from benchmarks.consumers import Sample
from benchmarks.transfer import Transfer


def transfer(arrivals: list[float], samples: list[Sample]) -> Transfer:
    return Transfer(
        started_at=100.0,
        arrivals=arrivals,
        samples=samples,
        cpu_seconds=2.0,
        queue_cpu_seconds=0.0,
        postgres_cpu_seconds=0.0,
    )


TEN_A_SECOND = transfer(
    arrivals=[102.0 + number / 10 for number in range(101)],
    samples=[
        Sample(100.0, 0.0, 10_000_000, 5_000_000),
        Sample(102.0, 1.0, 50_000_000, 30_000_000),
        Sample(112.0, 2.0, 40_000_000, 20_000_000),
    ],
)


def test_rows_per_second_are_counted_between_the_first_row_and_the_last() -> None:
    assert TEN_A_SECOND.seconds_to_first_row == pytest.approx(2)
    assert TEN_A_SECOND.seconds == pytest.approx(10)
    assert TEN_A_SECOND.messages_per_second == pytest.approx(10)


def test_the_rows_of_the_first_commit_are_no_achievement_of_the_time_after_it() -> None:
    two_commits = transfer([102.0] * 50 + [103.0] * 50, [])

    assert two_commits.messages_per_second == pytest.approx(50)


def test_one_commit_has_no_rate() -> None:
    assert math.isnan(transfer([102.0] * 50, []).messages_per_second)


def test_a_tail_of_stragglers_does_not_touch_the_middle() -> None:
    with_tail = transfer([*TEN_A_SECOND.arrivals[:-1], 142.0], TEN_A_SECOND.samples)

    assert with_tail.messages_per_second == pytest.approx(2.5)
    assert with_tail.messages_per_second_10_to_90 == pytest.approx(10)


def test_cpu_per_message_is_that_of_the_whole_and_that_of_the_middle() -> None:
    assert TEN_A_SECOND.cpu_microseconds == pytest.approx(2 / 101 * 1e6)
    assert TEN_A_SECOND.cpu_microseconds_10_to_90 == pytest.approx(0.8 / 80 * 1e6)


def test_memory_is_the_most_of_any_sample() -> None:
    assert TEN_A_SECOND.peak_resident_megabytes == 50
    assert TEN_A_SECOND.peak_proportional_megabytes == 30
