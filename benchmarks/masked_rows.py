"""Masked rows to insert, without a queue."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from benchmarks.messages import logins
from maskline.keys import StoredKeyset, create_keyset, open_keyset
from maskline.records import MaskedRow, Receipt, SqsMessage
from maskline.streams.definition import StreamDefinition
from maskline.streams.masking import MessageMasker

DIFFERENT_ROWS = 5_000
"""How many rows are masked; more than so many are these with message ids of their own."""


def masked_rows(stream: StreamDefinition, count: int) -> Iterator[MaskedRow]:
    """Yield masked logins, each of another message.

    Args:
        stream: The stream.
        count: How many.
    """
    masker = MessageMasker(stream, open_keyset(StoredKeyset(create_keyset(), "made for a benchmark")))
    masked = [masker.mask(message) for message in messages(min(count, DIFFERENT_ROWS))]
    rows = [row for row in masked if isinstance(row, MaskedRow)]
    for number in range(count):
        receipt = Receipt(str(uuid.uuid4()), "handle")
        yield msgspec.structs.replace(rows[number % len(rows)], receipt=receipt)


def messages(count: int) -> list[SqsMessage]:
    """Return logins as SQS would deliver them.

    Args:
        count: How many.
    """
    now = datetime.now(UTC)
    return [SqsMessage(str(uuid.uuid4()), "handle", body, now, 1) for body in logins(count)]
