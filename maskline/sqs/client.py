"""A client of one queue in four verbs: receive, delete, extend, depth.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from maskline.aws import error_code
from maskline.errors import QueueUnavailableError, UsageError
from maskline.records import OutgoingMessage, Receipt, SqsMessage
from maskline.sqs.address import QueueAddress
from maskline.sqs.connections import shared_connections
from maskline.sqs.failures import BodyRefusedError, is_about_body, map_sqs_error
from maskline.sqs.message_attributes import attribute_types, text_attributes, typed_attributes
from maskline.sqs.operations import (
    DELETE,
    EXTEND,
    RECEIVE,
    BatchAnswer,
    MessageEntry,
    Operation,
    ReceiveAnswer,
    UnreadableAnswerError,
)
from maskline.sqs.transports import Boto3Transport, SqsTransport
from maskline.watchdog import SLOW_SECONDS, WATCHDOG

MAX_BATCH_ENTRIES = 10
"""How many messages one request receives, deletes or extends at most (SQS's limit)."""

MAX_VISIBILITY_SECONDS = 12 * 60 * 60
"""SQS's limit of a visibility time-out."""

RECEIPT_OF_NO_MESSAGE = "no message has this one"
"""What `SqsQueue.try_permissions` asks for."""

_NO_SUCH_RECEIPT = ("ReceiptHandleIsInvalid", "InvalidParameterValue")
"""How an API may answer a whole request with a receipt that is none; AWS says it of the entry."""

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_UNREADABLE = (
    UnreadableAnswerError,
    UnicodeDecodeError,
    ResponseParserError,
    AttributeError,  # botocore's for JSON of another shape
    ValueError,
    OverflowError,
)

_ENTRY_IDS = tuple(map(str, range(MAX_BATCH_ENTRIES)))

CALL_SECONDS = 20.0
"""How long a call that waits for its answer lasts at most, beyond the time that it asks SQS to wait."""

T = TypeVar("T")
A = TypeVar("A")


class QueueDepth(msgspec.Struct, frozen=True):
    """How many messages a queue holds, by SQS's own approximate counts.

    Attributes:
        visible: Waiting to be received.
        in_flight: Received and neither deleted nor visible again.
        delayed: Not to be received yet.
    """

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All messages in the queue."""
        return self.visible + self.in_flight + self.delayed


class DeleteFailure(msgspec.Struct, frozen=True):
    """One message that could not be deleted (or extended) in a batch whose other entries succeeded.

    Attributes:
        receipt: The delivery.
        code: SQS's code, ``ReceiptHandleIsInvalid`` say.
        is_final: Whether another try must fail, too (SenderFault).
    """

    receipt: Receipt
    code: str
    is_final: bool


class Queue(Protocol):
    """What the job needs of a queue: four calls that wait for their answer, and three of them that do not."""

    connections: int
    """How many receives may be under way at the same time."""

    def receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> list[SqsMessage]:
        """Receive up to ten messages; wait until there is one or the time is over."""

    def delete(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        """Delete any number of deliveries, and return those that were not deleted."""

    def extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> list[DeleteFailure]:
        """Make deliveries visible again only so many seconds from now, and return those that were not changed."""

    def depth(self) -> QueueDepth:
        """Count the messages in the queue."""

    def submit_receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> Future[list[SqsMessage]]:
        """Begin to receive up to ten messages."""

    def submit_delete(self, receipts: Sequence[Receipt]) -> Future[list[DeleteFailure]]:
        """Begin to delete up to ten deliveries."""

    def submit_extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> Future[list[DeleteFailure]]:
        """Begin to set the visibility time-out of up to ten deliveries anew."""


class SqsQueue:
    """An SQS queue, with AWS's *standard* retries. Thread-safe.

    A verb that waits for its answer does so for `CALL_SECONDS` at most (``receive``: and the time it asks SQS to wait).
    ``submit_…`` begins the same call and returns a future; it may complete in a thread that must not be held up.

    All raise `QueueError` where only a person can fix it (no such queue, access denied, no credentials) and
    `QueueUnavailableError` where the same call may succeed later; so do the futures.

    Args:
        client: A boto3 SQS client.
        address: The queue.
        url: The queue's URL.
        transport: Carries the calls that receive, delete and extend; the client itself if None.
        attribute_names: The message attributes that receiving asks for (see `StreamDefinition.attribute_names`).
    """

    def __init__(
        self,
        client: Any,
        address: QueueAddress,
        url: str,
        transport: SqsTransport | None = None,
        attribute_names: Collection[str] = (),
    ) -> None:
        self._client = client
        # What is not asked for is neither sent nor read.
        self._asked = {"MessageAttributeNames": sorted(attribute_names)} if attribute_names else {}
        self._address = address
        self.url = url
        self._transport: SqsTransport = transport or Boto3Transport(client)
        self.connections = self._transport.connections

    @classmethod
    def open(cls, address: QueueAddress, attribute_names: Collection[str] = ()) -> SqsQueue:
        """Connect to a queue, and look up its URL if it was given by name.

        All callers in a process share one client, and with it one pool of kept-alive connections.

        Args:
            address: The queue.
            attribute_names: The message attributes that receiving asks for.

        Raises:
            UsageError: The endpoint cannot be called.
        """
        with _map_sqs_errors(address):
            try:
                client, transport = shared_connections(address.service_endpoint, address.region, address.connections)
                url = address.queue if address.is_url else client.get_queue_url(QueueName=address.queue)["QueueUrl"]
            except BotoCoreError:
                raise  # some are a ValueError, too
            except ValueError as error:  # botocore's, where the endpoint is no URL after all
                raise UsageError(f"queue {address}: {error}") from None
        return cls(client, address, url, transport, attribute_names)

    def receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> list[SqsMessage]:
        """Receive messages in one request.

        Args:
            max_messages: 1 to 10.
            wait_seconds: 0 (short poll: some of SQS's servers are asked) to 20 (long poll: all are).
            visibility_seconds: How long the messages stay hidden from other consumers, 0 to 43,200.
        """
        return self._result(self.submit_receive(max_messages, wait_seconds, visibility_seconds), wait_seconds)

    def delete(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        """Delete deliveries, in requests of ten.

        Args:
            receipts: What to delete, any number.

        Returns:
            The entries that SQS refused.
        """
        return self._results([self.submit_delete(chunk) for chunk in in_requests(receipts)])

    def extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> list[DeleteFailure]:
        """Set the visibility time-out of deliveries anew, in requests of ten.

        Args:
            receipts: The deliveries, any number.
            visibility_seconds: Counted from now; 0 makes them visible at once.

        Returns:
            The entries that SQS refused.
        """
        return self._results([self.submit_extend(chunk, visibility_seconds) for chunk in in_requests(receipts)])

    def submit_receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> Future[list[SqsMessage]]:
        """Begin to receive; see `receive`."""
        request = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": max_messages,
            "WaitTimeSeconds": wait_seconds,
            "VisibilityTimeout": visibility_seconds,
            "MessageSystemAttributeNames": ["SentTimestamp", "ApproximateReceiveCount"],
            **self._asked,
        }
        return self._submit(RECEIVE, request, _messages)

    def submit_delete(self, receipts: Sequence[Receipt]) -> Future[list[DeleteFailure]]:
        """Begin to delete up to ten deliveries; see `delete`."""
        entries = [
            {"Id": _ENTRY_IDS[place], "ReceiptHandle": receipt.receipt_handle} for place, receipt in enumerate(receipts)
        ]
        request = {"QueueUrl": self.url, "Entries": entries}
        return self._submit(DELETE, request, lambda answer: _failures(answer, receipts))

    def submit_extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> Future[list[DeleteFailure]]:
        """Begin to set the visibility time-out of up to ten deliveries anew; see `extend`."""
        entries = [
            {
                "Id": _ENTRY_IDS[place],
                "ReceiptHandle": receipt.receipt_handle,
                "VisibilityTimeout": visibility_seconds,
            }
            for place, receipt in enumerate(receipts)
        ]
        request = {"QueueUrl": self.url, "Entries": entries}
        return self._submit(EXTEND, request, lambda answer: _failures(answer, receipts))

    def depth(self) -> QueueDepth:
        """Count the messages in the queue; SQS's counts are approximate."""
        attributes = self.attributes()
        try:
            return QueueDepth(
                visible=int(attributes["ApproximateNumberOfMessages"]),
                in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
                delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
            )
        except KeyError:
            # A proxy's page with status 200, say; taken for zeros it would be an empty queue.
            raise QueueUnavailableError(f"queue {self._address}: the answer holds no counts of messages") from None

    def attributes(self) -> dict[str, str]:
        """Return the queue's attributes by SQS's names."""
        with _map_sqs_errors(self._address):
            response = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return dict(response.get("Attributes", {}))

    def try_permissions(self) -> None:
        """Try to delete and extend a delivery that does not exist, which takes the same permissions as one that does.

        Raises:
            QueueError: One of them is missing; the message names both.
        """
        nothing = {"Id": "0", "ReceiptHandle": RECEIPT_OF_NO_MESSAGE}
        for call, entry in (
            (self._client.delete_message_batch, nothing),
            (self._client.change_message_visibility_batch, nothing | {"VisibilityTimeout": 0}),
        ):
            with _map_sqs_errors(self._address):
                try:
                    call(QueueUrl=self.url, Entries=[entry])
                except ClientError as error:
                    if not error_code(error).endswith(_NO_SUCH_RECEIPT):
                        raise

    def send(self, messages: Sequence[str | OutgoingMessage]) -> list[str]:
        """Send messages, ten a request, and return their message ids in the same order.

        In a FIFO queue each is a message group of its own, so that none waits for another.

        Args:
            messages: The messages, or their bodies, any number.

        Raises:
            BodyRefusedError: SQS does not take one of them for what is in it.
            QueueUnavailableError: SQS accepted only some; those were sent.
        """
        message_ids: list[str] = []
        for chunk in in_requests(messages):
            entries = [{"Id": str(i), **self._sent(message)} for i, message in enumerate(chunk)]
            with _map_sqs_errors(self._address):
                try:
                    response = self._client.send_message_batch(QueueUrl=self.url, Entries=entries)
                    if response.get("Failed"):
                        raise ClientError({"Error": response["Failed"][0]}, "SendMessageBatch")
                except UnicodeEncodeError:
                    raise self._body_refused("no code, for it is not Unicode") from None
                except ClientError as error:
                    if not is_about_body(error_code(error)):
                        raise
                    raise self._body_refused(error_code(error)) from None
            accepted = {entry["Id"]: entry["MessageId"] for entry in response["Successful"]}
            message_ids.extend(canonical_message_id(accepted[entry["Id"]]) for entry in entries)
        return message_ids

    def _body_refused(self, answer: str) -> BodyRefusedError:
        return BodyRefusedError(f"queue {self._address}: SQS answered {answer}: it does not take this body")

    def _sent(self, message: str | OutgoingMessage) -> dict[str, Any]:
        if isinstance(message, str):
            message = OutgoingMessage(message)
        entry: dict[str, Any] = {"MessageBody": message.body}
        if message.attributes:
            entry["MessageAttributes"] = typed_attributes(message.attributes, message.attribute_types)
        if self._address.is_fifo:
            # Content-based deduplication would take a message that is sent back for the one it was.
            entry["MessageDeduplicationId"] = message.deduplication_id or str(uuid.uuid4())
            entry["MessageGroupId"] = entry["MessageDeduplicationId"]
        return entry

    def _submit(self, operation: Operation[A], request: dict[str, Any], read: Callable[[A], T]) -> Future[T]:
        """Begin a call whose answer is read, and whose errors are mapped, where it completes."""
        return self._transport.submit(operation, request, read, self._map_error)

    def _map_error(self, error: Exception) -> Exception:
        return _mapped_error(error, self._address)

    def _results(self, futures: Sequence[Future[list[DeleteFailure]]]) -> list[DeleteFailure]:
        return [failure for future in futures for failure in self._result(future)]

    def _result(self, future: Future[T], wait_seconds: float = 0) -> T:
        what = f"queue {self._address}: an answer of SQS"
        try:
            with WATCHDOG.watching(what, slow_seconds=wait_seconds + SLOW_SECONDS):
                return future.result(wait_seconds + CALL_SECONDS)
        except TimeoutError:
            raise QueueUnavailableError(f"queue {self._address}: SQS did not answer in {CALL_SECONDS:g} s") from None


def in_requests(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that one request may carry."""
    for start in range(0, len(entries), MAX_BATCH_ENTRIES):
        yield entries[start : start + MAX_BATCH_ENTRIES]


def canonical_message_id(message_id: str) -> str:
    """Return a MessageId as the text of a UUID.

    SQS documents it as a string of up to 100 characters and has only ever made UUIDs. Should it make something else
    one day, the id becomes the UUID of that name, so that the same message still has the same one.
    """
    if _CANONICAL_UUID.fullmatch(message_id):
        return message_id
    try:
        return str(uuid.UUID(message_id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, message_id))


def _messages(answer: ReceiveAnswer) -> list[SqsMessage]:
    return [_message(entry) for entry in answer.Messages or ()]


def _message(entry: MessageEntry) -> SqsMessage:
    return SqsMessage(
        message_id=canonical_message_id(entry.MessageId),
        receipt_handle=entry.ReceiptHandle,
        body=entry.Body,
        sent_at=datetime.fromtimestamp(entry.Attributes.SentTimestamp / 1000, UTC),
        receive_count=entry.Attributes.ApproximateReceiveCount,
        attributes=text_attributes(entry.MessageAttributes) if entry.MessageAttributes else None,
        attribute_types=attribute_types(entry.MessageAttributes) if entry.MessageAttributes else None,
    )


def _failures(answer: BatchAnswer, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
    """Return the entries that were refused, and those of which the answer says nothing: only said is done."""
    done = {entry.Id for entry in answer.Successful or ()}
    if not answer.Failed and done.issuperset(_ENTRY_IDS[: len(receipts)]):
        return []
    refused = {entry.Id: entry for entry in answer.Failed or ()}
    failures = []
    for place, receipt in enumerate(receipts):
        entry = refused.get(_ENTRY_IDS[place])
        if entry is not None:
            failures.append(DeleteFailure(receipt, entry.Code or "unknown", bool(entry.SenderFault)))
        elif _ENTRY_IDS[place] not in done:
            failures.append(DeleteFailure(receipt, "unknown", is_final=False))
    return failures


@contextlib.contextmanager
def _map_sqs_errors(address: QueueAddress, wait_seconds: int = 0) -> Iterator[None]:
    try:
        with WATCHDOG.watching(f"queue {address}: an answer of SQS", slow_seconds=wait_seconds + SLOW_SECONDS):
            yield
    except Exception as error:
        raise _mapped_error(error, address) from None


def _mapped_error(error: Exception, address: QueueAddress) -> Exception:
    """Return the error of ours that one of a call means, or itself where it is none of a call's."""
    if isinstance(error, BotoCoreError | ClientError):
        return map_sqs_error(error, address)
    if isinstance(error, _UNREADABLE):
        # Not botocore's to retry, and the text could quote the answer.
        return QueueUnavailableError(f"queue {address}: the answer cannot be read")
    return error


OpenQueue = Callable[[QueueAddress], Queue]
"""Opens a queue, on the worker that uses it."""
