"""`SqsQueue` against a real SQS API: what it receives, deletes, extends, counts and sends, and how it fails."""

from __future__ import annotations

import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config

from maskline.errors import QueueError, QueueUnavailableError
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.records import Receipt, SqsMessage
from maskline.sqs import DeleteFailure, QueueAddress, QueueDepth, SqsQueue
from maskline.sqs.client import canonical_message_id
from tests.awaiting import await_until

NO_SUCH_HANDLE = Receipt("00000000-0000-0000-0000-000000000001", "not-a-handle")


def receipt_of(message: SqsMessage) -> Receipt:
    return Receipt(message.message_id, message.receipt_handle)


def receive_all(queue: SqsQueue, visibility_seconds: int = 60) -> list[SqsMessage]:
    messages: list[SqsMessage] = []
    while received := queue.receive(10, 0, visibility_seconds):
        messages.extend(received)
    return messages


def test_a_message_arrives_with_its_body_its_id_and_the_time_it_was_sent(queue: SqsQueue) -> None:
    before = datetime.now(UTC)
    (sent_id,) = queue.send(['{"user_id": "größe \U0001f511 \\u0000"}'])

    (message,) = queue.receive(10, 0, 60)

    assert message.body == '{"user_id": "größe \U0001f511 \\u0000"}'
    assert message.message_id == sent_id
    assert before - timedelta(seconds=1) < message.sent_at < datetime.now(UTC) + timedelta(seconds=1)
    assert message.sent_at.tzinfo is UTC
    assert message.receive_count == 1


def test_a_message_delivered_again_keeps_its_id_and_counts_its_deliveries(queue: SqsQueue) -> None:
    queue.send(["one"])
    (first,) = queue.receive(10, 0, 0)

    (second,) = queue.receive(10, 1, 60)

    assert second.message_id == first.message_id
    assert second.sent_at == first.sent_at
    assert second.receipt_handle != first.receipt_handle
    assert (first.receive_count, second.receive_count) == (1, 2)


def test_a_receive_brings_no_more_than_it_asked_for(queue: SqsQueue) -> None:
    queue.send(["one", "two", "three", "four"])

    messages = queue.receive(3, 0, 60)

    assert len(messages) == 3


def test_an_empty_queue_gives_an_empty_list(queue: SqsQueue) -> None:
    assert queue.receive(10, 0, 60) == []


def test_a_long_poll_returns_as_soon_as_there_is_a_message(queue: SqsQueue) -> None:
    with ThreadPoolExecutor(1) as threads:
        polling = threads.submit(queue.receive, 10, 20, 60)
        queue.send(["at last"])

        (message,) = polling.result(timeout=10)

    assert message.body == "at last"


def test_what_was_received_stays_hidden_for_the_visibility_timeout(queue: SqsQueue) -> None:
    queue.send(["one"])
    queue.receive(10, 0, 60)

    assert queue.receive(10, 0, 60) == []


def test_any_number_of_messages_is_sent_in_order_and_deleted_in_one_call(queue: SqsQueue) -> None:
    sent_ids = queue.send([f"body {number}" for number in range(25)])
    messages = receive_all(queue)

    failures = queue.delete([receipt_of(message) for message in messages])

    assert failures == []
    assert {message.message_id: message.body for message in messages} == {
        sent_id: f"body {number}" for number, sent_id in enumerate(sent_ids)
    }
    assert queue.depth().total == 0


def test_nothing_to_send_delete_or_extend_is_no_request_and_no_error(queue: SqsQueue) -> None:
    assert queue.send([]) == []
    assert queue.delete([]) == []
    assert queue.extend([], 60) == []


def test_a_nonsense_handle_is_a_final_failure_and_the_others_are_deleted(queue: SqsQueue) -> None:
    queue.send([f"body {number}" for number in range(12)])
    receipts = [receipt_of(message) for message in receive_all(queue)]

    failures = queue.delete([*receipts[:11], NO_SUCH_HANDLE, receipts[11]])

    assert failures == [DeleteFailure(NO_SUCH_HANDLE, "ReceiptHandleIsInvalid", is_final=True)]
    assert queue.depth().total == 0


def test_a_stale_handle_does_not_delete_what_was_delivered_again(queue: SqsQueue) -> None:
    queue.send(["one"])
    (stale,) = queue.receive(10, 0, 0)
    (current,) = queue.receive(10, 1, 60)

    failures = queue.delete([receipt_of(stale)])

    assert failures == [DeleteFailure(receipt_of(stale), "ReceiptHandleIsInvalid", is_final=True)]
    assert queue.extend([receipt_of(stale)], 0) == failures
    assert queue.depth() == QueueDepth(visible=0, in_flight=1, delayed=0)
    assert queue.delete([receipt_of(current)]) == []


def test_extending_keeps_messages_hidden_beyond_the_timeout_they_were_received_with(queue: SqsQueue) -> None:
    queue.send([f"body {number}" for number in range(12)])
    extended = receive_all(queue, visibility_seconds=5)
    queue.send(["not extended"])
    queue.receive(10, 0, 2)

    failures = queue.extend([receipt_of(message) for message in extended], 60)

    assert failures == []
    await_until(lambda: queue.depth().visible > 0, "the message that was not extended is back", seconds=30)
    assert [message.body for message in receive_all(queue)] == ["not extended"]


def test_extending_by_nothing_makes_messages_visible_at_once(queue: SqsQueue) -> None:
    queue.send(["one"])
    (message,) = queue.receive(10, 0, 60)

    failures = queue.extend([receipt_of(message)], 0)

    assert failures == []
    assert queue.depth() == QueueDepth(visible=1, in_flight=0, delayed=0)


def test_a_handle_that_cannot_be_extended_is_a_failure_entry(queue: SqsQueue) -> None:
    failures = queue.extend([NO_SUCH_HANDLE], 60)

    assert failures == [DeleteFailure(NO_SUCH_HANDLE, "ReceiptHandleIsInvalid", is_final=True)]


def test_the_depth_tells_visible_from_in_flight(queue: SqsQueue) -> None:
    queue.send(["one", "two", "three"])
    queue.receive(1, 0, 60)

    depth = queue.depth()

    assert depth == QueueDepth(visible=2, in_flight=1, delayed=0)
    assert depth.total == 3


def test_the_depth_counts_delayed_messages(sqs: EmbeddedSqs) -> None:
    url = sqs.create_queue(f"test-{uuid.uuid4().hex}", {"DelaySeconds": "60"})
    queue = SqsQueue.open(QueueAddress(url, sqs.endpoint))
    queue.send(["one"])

    depth = queue.depth()

    assert depth == QueueDepth(visible=0, in_flight=0, delayed=1)
    assert depth.total == 1


def test_messages_that_sqs_does_not_accept_are_an_error_and_the_others_are_sent(queue: SqsQueue) -> None:
    with pytest.raises(QueueUnavailableError, match=r"^queue http://.*: SQS answered MissingParameter"):
        queue.send(["accepted", ""])

    assert [message.body for message in receive_all(queue)] == ["accepted"]


def test_a_queue_is_found_by_its_name(queue: SqsQueue, queue_address: QueueAddress) -> None:
    queue.send(["one"])

    by_name = SqsQueue.open(QueueAddress(queue_address.name, queue_address.endpoint))

    assert by_name.url == queue.url
    assert by_name.depth().visible == 1


def test_a_name_that_no_queue_has_is_refused_when_it_is_opened(sqs: EmbeddedSqs) -> None:
    with pytest.raises(QueueError) as refused:
        SqsQueue.open(QueueAddress("no-such-queue", sqs.endpoint))

    assert str(refused.value) == (
        f"queue no-such-queue at {sqs.endpoint}: does not exist; check its name, region and account "
        "(AWS.SimpleQueueService.NonExistentQueue)"
    )


def test_a_url_that_no_queue_has_is_refused_by_every_call(sqs: EmbeddedSqs) -> None:
    url = f"{sqs.endpoint}/000000000000/no-such-queue"
    queue = SqsQueue.open(QueueAddress(url, sqs.endpoint))

    for call in (
        lambda: queue.receive(10, 0, 60),
        lambda: queue.delete([NO_SUCH_HANDLE]),
        lambda: queue.extend([NO_SUCH_HANDLE], 60),
        lambda: queue.depth(),
        lambda: queue.send(["one"]),
    ):
        with pytest.raises(QueueError, match=rf"^queue {url}: does not exist; check its name"):
            call()


def test_where_nobody_listens_the_call_may_be_tried_again() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # taken, and nobody listens
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        client = boto3.session.Session(
            aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1"
        ).client("sqs", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))
        queue = SqsQueue(client, QueueAddress("logins", endpoint), f"{endpoint}/000000000000/logins")

        with pytest.raises(QueueUnavailableError) as failed:
            queue.receive(10, 0, 60)

        client.close()
    assert str(failed.value) == f"queue logins at {endpoint}: SQS did not answer (EndpointConnectionError)"


def test_without_credentials_the_line_says_how_to_give_them(sqs: EmbeddedSqs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/there/is/none")

    with pytest.raises(QueueError, match=r"no AWS credentials .* set AWS_ACCESS_KEY_ID"):
        SqsQueue.open(QueueAddress("logins", "http://127.0.0.1:2"))  # a client of its own: clients are shared


@pytest.mark.parametrize(
    ("message_id", "canonical"),
    [
        ("424cdd21-063a-43a7-b91b-7ca1a833afae", "424cdd21-063a-43a7-b91b-7ca1a833afae"),
        ("424CDD21-063A-43A7-B91B-7CA1A833AFAE", "424cdd21-063a-43a7-b91b-7ca1a833afae"),
        ("424cdd21063a43a7b91b7ca1a833afae", "424cdd21-063a-43a7-b91b-7ca1a833afae"),
        ("message 1 of the future", "7b43a91a-5506-5790-99a3-64fd5ad187d1"),
    ],
)
def test_every_message_id_becomes_the_same_uuid_each_time(message_id: str, canonical: str) -> None:
    assert canonical_message_id(message_id) == canonical
