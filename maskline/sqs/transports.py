"""The transport of calls to SQS, and its plain form: boto3, in the thread of the caller."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from maskline.futures import settle
from maskline.sqs.operations import Operation

A = TypeVar("A")
T = TypeVar("T")

Read = Callable[[Callable[[], A]], T]
"""Makes of an answer what its caller wants. It is given what returns the answer, or raises what boto3 raises."""


class SqsTransport(Protocol):
    """Carries the calls that make up nearly all requests of a job. Thread-safe.

    Attributes:
        connections: How many receives may be under way at the same time; what is submitted beyond that waits.
    """

    connections: int

    def submit(self, operation: Operation[A], request: dict[str, Any], read: Read[A, T]) -> Future[T]:
        """Start a call.

        Args:
            operation: What is asked.
            request: The request by SQS's names, as boto3 takes it.
            read: Reads the answer where it completes, in a thread that must not be held up.

        Returns:
            What `read` returns, or what it raises.
        """


class Boto3Transport:
    """Calls by a boto3 client, each in the thread that submits it.

    Args:
        client: The client.
    """

    def __init__(self, client: Any) -> None:
        self.connections = 1
        self._client = client

    def call(self, operation: Operation[T], request: dict[str, Any]) -> T:
        """Make a call and return its answer.

        Raises:
            UnreadableAnswerError: The answer is none of SQS's.
            Exception: What boto3 raises.
        """
        method: Callable[..., dict[str, Any]] = getattr(self._client, operation.method)
        return operation.convert(method(**request))

    def submit(self, operation: Operation[A], request: dict[str, Any], read: Read[A, T]) -> Future[T]:
        """Make a call, and return its future when it has ended."""
        future: Future[T] = Future()
        settle(future, lambda: read(lambda: self.call(operation, request)))
        return future
