"""The account of a fault case: what became of every message, in numbers that fit a table."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Sequence

import msgspec

from maskline.postgres.connection import Connection
from tests.e2e.conftest import Ledger


class Account(msgspec.Struct, frozen=True):
    """What became of the messages of a case.

    Attributes:
        messages: Sent to the queue.
        written: Rows.
        rejected: Rejections.
        lost: Messages with neither row nor rejection, and no longer in the queue.
        doubled: Outcomes beyond a message's first, and those of messages never sent.
        redelivered: Deliveries beyond a message's first, or None where nobody counted.
        seconds_to_recover: From the end of the fault to the first outcome committed after it, or None.
    """

    messages: int
    written: int
    rejected: int
    lost: int
    doubled: int
    redelivered: int | None = None
    seconds_to_recover: float | None = None


def account_of(
    sent: Sequence[str], ledger: Ledger, *, in_queue: int, redelivered: int | None, seconds_to_recover: float | None
) -> Account:
    """Draw up the account.

    Args:
        sent: The message ids of all messages sent.
        ledger: The ledger.
        in_queue: How many messages are in the queue still.
        redelivered: How many deliveries were not a message's first.
        seconds_to_recover: How long the job took to go on.
    """
    rows, rejections = ledger.rows(), ledger.rejections()
    outcomes = Counts(rows + rejections)
    without_outcome = len(set(sent) - outcomes.keys())
    return Account(
        messages=len(sent),
        written=len(rows),
        rejected=len(rejections),
        lost=max(0, without_outcome - in_queue),
        doubled=outcomes.total() - len(outcomes.keys() & set(sent)),
        redelivered=redelivered,
        seconds_to_recover=seconds_to_recover,
    )


def first_outcome_after(database: Connection, moment: float) -> float | None:
    """Return when the first outcome after a moment was committed, both in seconds since the epoch."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM min(at))::float FROM (SELECT processed_at AS at FROM user_logins"
            " UNION ALL SELECT rejected_at FROM rejected_messages) AS outcomes WHERE extract(epoch FROM at) > %s",
            [moment],
        )
        ((at,),) = cursor.fetchall()
    return None if at is None else float(at)
