"""The transport of calls to SQS, and its plain form: boto3, in the thread of the caller."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from maskline.sqs.operations import Operation

A = TypeVar("A")
T = TypeVar("T")

MapError = Callable[[Exception], Exception]


class Call(Generic[A, T]):
    """A call of an operation of SQS, which ends once: with an answer or with an error.

    Args:
        operation: What is asked.
        request: The request by SQS's names, as boto3 takes it.
        read: Makes of the answer what the future returns.
        map_error: Makes of an error, boto3's or one of `read`, what the future raises.

    Attributes:
        future: What becomes of the call. It completes in a thread that must not be held up.
    """

    __slots__ = ("_map_error", "_read", "future", "operation", "request")

    def __init__(
        self, operation: Operation[A], request: dict[str, Any], read: Callable[[A], T], map_error: MapError
    ) -> None:
        self.operation = operation
        self.request = request
        self.future: Future[T] = Future()
        self._read = read
        self._map_error = map_error

    def succeed(self, answer: A) -> None:
        """End with an answer."""
        try:
            result = self._read(answer)
        except Exception as error:
            self.fail(error)
        else:
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """End with an error."""
        self.future.set_exception(self._map_error(error))


class SqsTransport(Protocol):
    """Carries the calls that make up nearly all requests of a job. Thread-safe.

    Attributes:
        connections: How many receives may be under way at the same time; what is submitted beyond that waits.
    """

    connections: int

    def submit(
        self, operation: Operation[A], request: dict[str, Any], read: Callable[[A], T], map_error: MapError
    ) -> Future[T]:
        """Start a call, and return its future; see `Call`."""


class Boto3Transport:
    """Calls by a boto3 client, each in the thread that submits it.

    Args:
        client: The client.
    """

    def __init__(self, client: Any) -> None:
        self.connections = 1
        self._client = client

    def make(self, call: Call[A, T]) -> None:
        """Make a call, which has ended then: by its answer, by what boto3 raises, or as an `UnreadableAnswerError`."""
        try:
            method: Callable[..., dict[str, Any]] = getattr(self._client, call.operation.method)
            answer = call.operation.convert(method(**call.request))
        except Exception as error:
            call.fail(error)
        else:
            call.succeed(answer)

    def submit(
        self, operation: Operation[A], request: dict[str, Any], read: Callable[[A], T], map_error: MapError
    ) -> Future[T]:
        """Make a call, and return its future when it has ended."""
        call = Call(operation, request, read, map_error)
        self.make(call)
        return call.future
