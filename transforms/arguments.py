"""Checking what transforms are constructed with, and reading texts that stand for values."""

from __future__ import annotations

from collections.abc import Collection

from maskline.errors import ArgumentError
from maskline.sqs import QueueAddress
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition, load_stream
from maskline.streams.stream_set import StreamSet
from maskline.transforms.run_context import RunContext, run_context


def parse_queue(queue: QueueAddress | str) -> QueueAddress:
    """Return the address of a queue.

    Args:
        queue: The address, or the queue's URL or name.

    Raises:
        ArgumentError: `queue` is none of these.
    """
    if isinstance(queue, QueueAddress):
        return queue
    if isinstance(queue, str):
        return QueueAddress(queue)
    raise ArgumentError(f"queue is a {_type_of(queue)}; give a QueueAddress, or the queue's URL or name")


def parse_stream(stream: StreamDefinition | StreamSet | str) -> StreamDefinition | StreamSet:
    """Return the definition of a stream, or of the streams that share a queue.

    Args:
        stream: The definition, or what `load_stream` takes: the name of a stream that comes with maskline, or the path
            of a TOML file. The file is read here, and not on a worker.

    Raises:
        ArgumentError: `stream` is none of these, or the file is not a sound definition.
    """
    if isinstance(stream, StreamDefinition | StreamSet):
        return stream
    if isinstance(stream, str):
        return load_stream(stream)
    raise ArgumentError(
        f"stream is a {_type_of(stream)}; give a StreamDefinition, or a stream's name or the path of its .toml"
    )


def check_lease(lease: VisibilityLease | None) -> VisibilityLease | None:
    """Return a lease, or None where there is none.

    Raises:
        ArgumentError: `lease` is of another type.
    """
    if lease is None or isinstance(lease, VisibilityLease):
        return lease
    raise ArgumentError(f"lease is a {_type_of(lease)}; give a VisibilityLease or None")


def check_context(context: RunContext | None) -> RunContext:
    """Return the run that a transform belongs to: the one given, or that of transforms to which none is given.

    Raises:
        ArgumentError: `context` is of another type.
    """
    if context is None:
        return run_context()
    if isinstance(context, RunContext):
        return context
    raise ArgumentError(f"context is a {_type_of(context)}; give a RunContext or None")


def check_positive(name: str, value: int) -> int:
    """Return a whole number of 1 or more.

    Args:
        name: The parameter that has it.
        value: The number.

    Raises:
        ArgumentError: It is less, or not a whole number.
    """
    if not isinstance(value, int):
        raise ArgumentError(f"{name} is a {_type_of(value)}; give a whole number, 1 or more")
    if value < 1:
        raise ArgumentError(f"{name} is {value}; it must be 1 or more")
    return value


def check_names(name: str, names: Collection[str]) -> frozenset[str]:
    """Return names, each once.

    Args:
        name: The parameter that has them.
        names: The names.

    Raises:
        ArgumentError: They are a text, which is a collection of its characters, or hold something that is no text.
    """
    if isinstance(names, Collection) and not isinstance(names, str) and all(isinstance(each, str) for each in names):
        return frozenset(names)
    raise ArgumentError(f"{name} is a {_type_of(names)}; give a collection of names, each a str")


def _type_of(value: object) -> str:
    return type(value).__name__
