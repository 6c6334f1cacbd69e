"""What counts as progress, and how old the queue's oldest message is taken to be."""

from __future__ import annotations

import pytest

from maskline.transforms.movement import Movement


class Clock:
    """Monotonic and wall time at once."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def movement(clock: Clock) -> Movement:
    return Movement(clock, clock)


def test_a_poll_is_progress_whether_it_brought_something_or_not(movement: Movement, clock: Clock) -> None:
    seen = [movement.last_progress]
    for clock.now, oldest in ((1010.0, None), (1020.0, 1015.0)):
        movement.mark_poll(oldest)
        seen.append(movement.last_progress)

    assert seen == [1000.0, 1010.0, 1020.0]


def test_before_the_first_poll_no_age_is_known(movement: Movement) -> None:
    assert movement.oldest_message_seconds() is None


def test_the_age_is_the_greatest_of_the_last_half_minute(movement: Movement, clock: Clock) -> None:
    for clock.now, oldest in ((1000.0, 993.0), (1010.0, 1008.0), (1020.0, None)):
        movement.mark_poll(oldest)

    ages = []
    for clock.now in (1020.0, 1030.0, 1031.0, 1041.0):
        ages.append(movement.oldest_message_seconds())

    assert ages == [7.0, 7.0, 2.0, 0.0]


def test_the_age_grows_while_what_was_received_is_not_followed_by_a_poll(movement: Movement, clock: Clock) -> None:
    movement.mark_poll(999.0)

    clock.now = 1100.0

    assert movement.oldest_message_seconds() == 101.0


def test_after_an_empty_poll_it_does_not_grow(movement: Movement, clock: Clock) -> None:
    movement.mark_poll(None)

    clock.now = 1100.0

    assert movement.oldest_message_seconds() == 0.0


def test_a_clock_behind_that_of_the_queue_makes_no_negative_age(movement: Movement) -> None:
    movement.mark_poll(1003.0)

    assert movement.oldest_message_seconds() == 0.0
