"""A run ends where too large a share of its latest messages is rejected, and says which field it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from maskline.errors import ArgumentError, TooManyRejectedError
from maskline.records import Reason, Receipt, Rejection
from maskline.streams.rejection_share import RejectionShare, check_max_percent


def rejection(detail: str = "field id missing") -> Rejection:
    """Return a rejection."""
    receipt = Receipt("00000000-0000-4000-8000-000000000001", "handle")
    return Rejection(receipt, "orders", Reason.MISSING_FIELD, detail, datetime(2026, 1, 31, tzinfo=UTC), 1, 7, b"")


def reject(share: RejectionShare, count: int, max_percent: float = 50) -> None:
    """Reject so many messages."""
    for _ in range(count):
        share.add_rejected(rejection(), max_percent)


def test_a_few_messages_are_no_share() -> None:
    share = RejectionShare()

    reject(share, 19)

    with pytest.raises(TooManyRejectedError) as ended:
        reject(share, 1)
    assert str(ended.value) == (
        "stream orders: 20 of 20 messages cannot become rows, 20 of them as missing_field: field id missing; the job "
        "stops at 50 %, and the messages it has not rejected yet stay in the queue"
    )


def test_the_most_frequent_cause_is_named() -> None:
    share = RejectionShare()
    share.add_rejected(rejection("field rare missing"), 90)
    reject(share, 18, max_percent=90)

    with pytest.raises(TooManyRejectedError, match=r"18 of them as missing_field: field id missing"):
        share.add_rejected(rejection("field rare missing"), 90)


def test_a_smaller_share_ends_nothing() -> None:
    share = RejectionShare()
    share.add_masked(100)

    reject(share, 99)

    with pytest.raises(TooManyRejectedError, match=r"100 of 200 messages"):
        reject(share, 1)


def test_the_share_is_that_of_the_latest_messages() -> None:
    share = RejectionShare()
    for _ in range(1000):
        share.add_masked(1000)

    with pytest.raises(TooManyRejectedError):
        reject(share, 3000)


@pytest.mark.parametrize("percent", [0, -1, 100.5, float("nan")])
def test_what_is_no_percentage_is_refused(percent: float) -> None:
    with pytest.raises(ArgumentError, match=r"^stop_when_rejected is .+; it must be more than 0 and at most 100"):
        check_max_percent(percent)


def test_a_percentage_or_none_is_taken() -> None:
    assert [check_max_percent(percent) for percent in (None, 0.5, 100)] == [None, 0.5, 100]
