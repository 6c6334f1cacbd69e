"""`HeldMessages` hands out the oldest messages first, as many as were asked for, and knows what it still holds."""

from __future__ import annotations

from datetime import UTC, datetime

from maskline.records import SqsMessage
from maskline.sqs.held_messages import HeldAnswer, HeldMessages

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def answer(*bodies: str, hidden_until: float = 60) -> HeldAnswer:
    """Return an answer whose messages have these bodies."""
    return HeldAnswer([SqsMessage(body, body, body, START, 1) for body in bodies], 0, hidden_until)


def held(*answers: HeldAnswer) -> HeldMessages:
    """Return what holds these answers."""
    messages = HeldMessages()
    for each in answers:
        messages.add(each)
    return messages


def bodies_of(answers: list[HeldAnswer]) -> list[list[str]]:
    return [[message.body for message in answer.messages] for answer in answers]


def test_what_is_taken_ends_within_an_answer_and_the_rest_stays_held() -> None:
    messages = held(answer("a", "bb"), answer("ccc", "dddd", hidden_until=90), answer("eeeee"))

    taken = messages.take(3, max_bytes=1_000)

    assert bodies_of(taken) == [["a", "bb"], ["ccc"]]
    assert bodies_of(messages.answers) == [["dddd"], ["eeeee"]]
    assert (messages.count, messages.bytes) == (2, 9)
    assert [each.hidden_until for each in (*taken, *messages.answers)] == [60, 90, 90, 60]


def test_no_further_answer_is_taken_once_so_many_bytes_are() -> None:
    messages = held(answer("a", "bb"), answer("ccc"), answer("dddd"))

    taken = messages.take(100, max_bytes=6)

    assert bodies_of(taken) == [["a", "bb"], ["ccc"]]
    assert (messages.count, messages.bytes) == (1, 4)


def test_what_is_removed_is_no_longer_counted() -> None:
    first, second = answer("a", "bb"), answer("ccc")
    messages = held(first, second)

    assert messages.remove([first, answer("never held")]) == [first]
    assert (messages.count, messages.bytes) == (1, 3)
