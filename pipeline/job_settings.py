"""The settings of a job, apart from the job itself, so that `check` needs no Beam."""

from __future__ import annotations

import msgspec

from maskline.keys import KeysetUri
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.streams.stream_set import StreamSet, Unmatched


class JobSettings(msgspec.Struct, frozen=True):
    """The settings of a job.

    Attributes:
        stream: What the messages look like and where they go; a set of streams where they share the queue.
        queue: The queue they come from.
        postgres: The database.
        keyset: The keyset they are masked under.
        receive: How they are received.
        pollers: How many pollers receive them.
        until_empty: Whether to end once the queue is empty.
        db_retry_seconds: How long a micro-batch is retried while Postgres is not available.
        unmatched: What becomes of a message that no stream takes.
        stop_when_rejected: The share of rejected messages, in percent, that ends the run, or None.
        hash_keyset: The keyset that columns are hashed under, or None where none is given.
    """

    stream: StreamDefinition | StreamSet
    queue: QueueAddress
    postgres: PostgresDsn
    keyset: KeysetUri
    receive: ReceiveSettings = ReceiveSettings()
    pollers: int = 1
    until_empty: bool = False
    db_retry_seconds: float = 300
    unmatched: Unmatched = Unmatched.REJECT
    stop_when_rejected: float | None = None
    hash_keyset: KeysetUri | None = None

    @property
    def streams(self) -> tuple[StreamDefinition, ...]:
        """The streams, in the order in which they are tried."""
        return self.stream.streams
