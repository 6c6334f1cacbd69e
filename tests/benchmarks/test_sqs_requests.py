"""Requests: no larger than SQS takes, and every message in one."""

from __future__ import annotations

from benchmarks.sqs_requests import in_requests


def test_a_request_carries_ten_messages_at_most() -> None:
    assert [len(request) for request in in_requests("x" * 25)] == [10, 10, 5]


def test_a_request_carries_no_more_bytes_than_sqs_takes() -> None:
    bodies = ["x" * 100_000, "x" * 100_000, "x" * 100_000, "x" * 256_000]

    assert [len(request) for request in in_requests(bodies)] == [2, 1, 1]
