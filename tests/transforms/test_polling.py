"""The restriction "keep polling": never split, handed over whole, and ended only on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from maskline.transforms.polling import FINISHED, Polling, PollingRestrictions, PollingTracker


@pytest.mark.parametrize("fraction", [0.0001, 0.5, 1.0])
def test_no_runner_can_make_two_pollers_of_one(fraction: float) -> None:
    tracker = PollingTracker(Polling(empty_polls=1, empty_since=7.0))

    split = tracker.try_split(fraction)

    assert split is None
    assert tracker.current_restriction() == Polling(empty_polls=1, empty_since=7.0)


def test_a_checkpoint_hands_all_of_the_rest_over() -> None:
    tracker = PollingTracker(Polling(empty_polls=1, empty_since=7.0))

    split = tracker.try_split(0)

    assert split == (Polling(finished=True), Polling(empty_polls=1, empty_since=7.0))
    tracker.check_done()


def test_what_was_handed_over_is_neither_claimed_nor_handed_over_again() -> None:
    tracker = PollingTracker(Polling())
    tracker.try_split(0)

    assert not tracker.try_claim(Polling(empty_polls=1, empty_since=7.0))
    assert tracker.try_split(0) is None


def test_a_finished_poller_leaves_nothing_to_hand_over() -> None:
    tracker = PollingTracker(Polling())

    assert tracker.try_claim(FINISHED)
    assert tracker.try_split(0) is None
    tracker.check_done()


def test_a_claim_moves_what_a_checkpoint_hands_over() -> None:
    tracker = PollingTracker(Polling())

    assert tracker.try_claim(Polling(empty_polls=3, empty_since=7.0))
    assert tracker.try_split(0) == (Polling(finished=True), Polling(empty_polls=3, empty_since=7.0))


def test_a_poller_that_just_returns_is_an_error() -> None:
    tracker = PollingTracker(Polling())
    tracker.try_claim(Polling(empty_polls=1, empty_since=7.0))

    with pytest.raises(ValueError, match="the poller returned without finishing or deferring"):
        tracker.check_done()


def test_a_runner_is_told_that_it_never_ends_by_itself() -> None:
    tracker = PollingTracker(Polling())

    assert not tracker.is_bounded()
    assert tracker.current_progress().fraction_completed == 0
    tracker.try_claim(FINISHED)
    assert tracker.current_progress().fraction_completed == 1


def test_empty_polls_in_a_row_are_counted_from_the_first() -> None:
    state = Polling()

    state = state.after(0, now=100.0).after(0, now=105.0)

    assert state == Polling(empty_polls=2, empty_since=100.0)


def test_a_message_ends_the_row_of_empty_polls() -> None:
    state = Polling(empty_polls=7, empty_since=100.0)

    state = state.after(1, now=105.0)

    assert state == Polling()


def test_every_poller_starts_at_the_beginning_and_counts_alike() -> None:
    restrictions = PollingRestrictions()

    restriction = restrictions.initial_restriction(3)

    assert restriction == Polling()
    assert restrictions.restriction_size(3, restriction) == 1
    assert restrictions.create_tracker(restriction).current_restriction() == Polling()


def test_a_drained_job_polls_no_more() -> None:
    restrictions: Any = PollingRestrictions()

    assert restrictions.truncate(3, Polling()) is None
