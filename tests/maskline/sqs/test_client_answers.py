"""`SqsQueue` believes an answer only what it says."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from maskline.errors import QueueUnavailableError
from maskline.sqs import DeleteFailure, QueueAddress, SqsQueue
from tests.maskline.sqs.faults import some_receipts

PAGE: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": 200}}
"""What boto3 makes of a page with status 200 that is no answer of SQS."""


class Answering:
    """A boto3 client with one answer to everything.

    Args:
        answer: The answer, or what is raised in its place.
    """

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer

    def __getattr__(self, operation: str) -> Any:
        def answer(**_: object) -> dict[str, Any]:
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return answer


def queue_answering(answer: dict[str, Any] | Exception) -> SqsQueue:
    return SqsQueue(Answering(answer), QueueAddress("logins"), "http://127.0.0.1:1/logins")


def test_counts_that_are_not_there_are_no_zeros() -> None:
    queue = queue_answering(PAGE)

    with pytest.raises(QueueUnavailableError, match=r"^queue logins: the answer holds no counts of messages$"):
        queue.depth()


def test_a_message_is_deleted_only_if_the_answer_says_so() -> None:
    first, second, third = some_receipts(3)
    refused = {"Id": "2", "Code": "InternalError", "SenderFault": False}
    queue = queue_answering({"Successful": [{"Id": "0"}], "Failed": [refused]})

    failures = queue.delete([first, second, third])

    assert failures == [DeleteFailure(second, "unknown", False), DeleteFailure(third, "InternalError", False)]


def test_a_message_that_the_answer_names_twice_is_not_taken_for_deleted() -> None:
    (receipt,) = some_receipts(1)
    queue = queue_answering({"Successful": [{"Id": "0"}], "Failed": [{"Id": "0", "Code": "InternalError"}]})

    assert queue.delete([receipt]) == [DeleteFailure(receipt, "InternalError", False)]


def test_of_a_page_that_is_no_answer_nothing_is_deleted_or_extended() -> None:
    queue, receipts = queue_answering(PAGE), some_receipts(2)

    failures = [queue.delete(receipts), queue.extend(receipts, 60)]

    assert failures == 2 * [[DeleteFailure(receipt, "unknown", False) for receipt in receipts]]


@pytest.mark.parametrize("attribute", ["SentTimestamp", "ApproximateReceiveCount"])
@pytest.mark.parametrize("value", ["soon", "", "1e400", None])
def test_a_message_whose_numbers_are_none_may_be_asked_for_again_and_is_not_quoted(
    attribute: str, value: str | None
) -> None:
    attributes = {"SentTimestamp": "1769860800000", "ApproximateReceiveCount": "1"} | {attribute: value}
    message = {"MessageId": "1", "ReceiptHandle": "handle", "Body": "593-47-5928", "Attributes": attributes}
    queue = queue_answering({"Messages": [message]})

    with pytest.raises(QueueUnavailableError) as failure:
        queue.receive(10, 0, 60)

    assert str(failure.value) == "queue logins: the answer cannot be read"


def test_an_answer_that_is_no_unicode_may_be_asked_for_again_and_is_not_quoted() -> None:
    queue = queue_answering(UnicodeDecodeError("utf-8", b"593-47-5928\xff", 11, 12, "invalid start byte"))

    with pytest.raises(QueueUnavailableError) as failure:
        queue.receive(10, 0, 60)

    assert str(failure.value) == "queue logins: the answer cannot be read"
    assert "593-47" not in "".join(traceback.format_exception(failure.value))
