"""Reading what transforms are constructed with: a value of its type, or the text that names one."""

from __future__ import annotations

from maskline.errors import ArgumentError
from maskline.sqs import QueueAddress
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition, load_stream
from maskline.streams.stream_set import StreamSet


def parse_queue(queue: QueueAddress | str) -> QueueAddress:
    """Return a queue.

    Args:
        queue: Its address, URL or name.

    Raises:
        ArgumentError: It is none of these.
    """
    if isinstance(queue, QueueAddress):
        return queue
    if isinstance(queue, str):
        return QueueAddress(queue)
    raise ArgumentError(f"queue is a {type(queue).__name__}; give a QueueAddress, or the queue's URL or name")


def parse_stream(stream: StreamDefinition | str) -> StreamDefinition:
    """Return a stream's definition.

    Args:
        stream: It, or what `load_stream` takes: the name of a stream that comes with maskline, or the path of a TOML
            file. The file is read here, and not on a worker.

    Raises:
        ArgumentError: It is none of these, or the file is not a sound definition.
    """
    if isinstance(stream, StreamDefinition):
        return stream
    if isinstance(stream, str):
        return load_stream(stream)
    raise ArgumentError(
        f"stream is a {type(stream).__name__}; give a StreamDefinition, or a stream's name or the path of its .toml"
    )


def parse_streams(stream: StreamDefinition | StreamSet | str) -> StreamDefinition | StreamSet:
    """Return a stream's definition, or those of several streams.

    Args:
        stream: What `parse_stream` takes, or a set of definitions.

    Raises:
        ArgumentError: It is none of these, or the file is not a sound definition.
    """
    return stream if isinstance(stream, StreamSet) else parse_stream(stream)


def check_lease(lease: VisibilityLease | None) -> VisibilityLease | None:
    """Return a lease.

    Raises:
        ArgumentError: It is none.
    """
    if lease is None or isinstance(lease, VisibilityLease):
        return lease
    raise ArgumentError(f"lease is a {type(lease).__name__}; give a VisibilityLease or None")
