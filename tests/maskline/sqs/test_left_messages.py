"""A message that is left is given back at once, and looked at less and less often."""

from __future__ import annotations

from maskline.sqs.left_messages import MAX_REMEMBERED, LeftMessages, hidden_seconds


def test_it_is_hidden_for_longer_each_time_that_it_comes_back() -> None:
    found = [hidden_seconds(receive_count) for receive_count in (1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000_000)]

    assert found == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_latest_are_remembered_and_no_more_than_there_is_room_for() -> None:
    left = LeftMessages()

    left.add(str(number) for number in range(MAX_REMEMBERED + 1))
    left.add(["1"])

    assert (len(left), "0" in left, "1" in left, str(MAX_REMEMBERED) in left) == (MAX_REMEMBERED, False, True, True)
