"""Messages written to a database as the job would write them."""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from maskline.keys import Keyset
from maskline.postgres.connection import connect
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Rejection, SqsMessage
from maskline.streams.definition import StreamDefinition, load_stream
from maskline.streams.masking import MessageMasker

BATCH_SIZE = 1000


def write_masked(
    dsn: str, keyset: Keyset, bodies: Iterable[str], stream: StreamDefinition | str = "user_logins"
) -> list[str]:
    """Mask and write bodies of a stream, each as a message of its own, and return the message ids in the same order."""
    stream = load_stream(stream) if isinstance(stream, str) else stream
    masker = MessageMasker(stream, keyset)
    outcomes = [masker.mask(SqsMessage(str(uuid.uuid4()), "handle", body, datetime.now(UTC), 1)) for body in bodies]
    connecting, never = functools.partial(connect, dsn), threading.Event()
    rows = BatchWriter(connecting, InsertRows(stream), 0, never)
    masked = [outcome for outcome in outcomes if isinstance(outcome, MaskedRow)]
    for start in range(0, len(masked), BATCH_SIZE):
        rows.write(masked[start : start + BATCH_SIZE])
    rows.close()
    rejections = BatchWriter(connecting, InsertRejections(), 0, never)
    rejections.write([outcome for outcome in outcomes if isinstance(outcome, Rejection)])
    rejections.close()
    return [outcome.receipt.message_id for outcome in outcomes]
