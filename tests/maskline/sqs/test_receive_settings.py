"""`ReceiveSettings`: values out of their range are refused when they are given."""

from __future__ import annotations

from typing import Any

import pytest

from maskline.errors import UsageError
from maskline.sqs.receiver import ReceiveSettings


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"micro_batch_size": 0}, "micro_batch_size is 0; it must be 1 or more"),
        ({"micro_batch_seconds": -0.1}, "micro_batch_seconds is -0.1; it must be from 0 to 60"),
        ({"micro_batch_seconds": 60.5}, "micro_batch_seconds is 60.5; it must be from 0 to 60"),
        ({"micro_batch_seconds": float("nan")}, "micro_batch_seconds is nan; it must be from 0 to 60"),
        ({"visibility_timeout_seconds": 0}, "visibility_timeout_seconds is 0; SQS takes 1 to 43200"),
        ({"visibility_timeout_seconds": 43201}, "visibility_timeout_seconds is 43201; SQS takes 1 to 43200"),
        (
            {"micro_batch_seconds": 5, "visibility_timeout_seconds": 14},
            "visibility_timeout_seconds must be at least three times micro_batch_seconds",
        ),
        ({"long_poll_seconds": -1}, "long_poll_seconds is -1; SQS takes 0 to 20"),
        ({"long_poll_seconds": 21}, "long_poll_seconds is 21; SQS takes 0 to 20"),
        ({"retry_seconds": -1}, "retry_seconds is -1; it must not be negative"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError) as refused:
        ReceiveSettings(**settings)

    assert str(refused.value) == line
