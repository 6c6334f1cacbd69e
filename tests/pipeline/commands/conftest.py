"""Rows and rejections for the commands that look after them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from maskline.keys import Keyset
from maskline.masking import MessageMasker
from maskline.postgres.connection import connect
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Rejection, SqsMessage
from maskline.stream import StreamDefinition

Write = Callable[[list[str]], list[str]]


@pytest.fixture
def write(dsn: str, keyset: Keyset, user_logins: StreamDefinition) -> Write:
    """Write bodies as the job would, and return their message ids."""

    def write_bodies(bodies: list[str]) -> list[str]:
        masker = MessageMasker(user_logins, keyset)
        outcomes = [
            masker.mask(SqsMessage(f"00000000-0000-4000-8000-{number:012}", "handle", body, datetime.now(UTC), 1))
            for number, body in enumerate(bodies)
        ]
        connecting, never = functools.partial(connect, dsn), threading.Event()
        rows = BatchWriter(connecting, InsertRows(user_logins), 0, never)
        rows.write([outcome for outcome in outcomes if isinstance(outcome, MaskedRow)])
        rows.close()
        rejections = BatchWriter(connecting, InsertRejections(user_logins), 0, never)
        rejections.write([outcome for outcome in outcomes if isinstance(outcome, Rejection)])
        rejections.close()
        return [outcome.receipt.message_id for outcome in outcomes]

    return write_bodies
