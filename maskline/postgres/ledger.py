"""The ledger of outcomes: that each message has one, whichever table it is in.

``maskline_outcomes`` holds the MessageId and the SentTimestamp of every message that became a row or a rejection, in
32 partitions, one for each UTC day of SentTimestamp modulo 32. A message enters it in the statement that writes its
row, so both are committed or neither is. SQS keeps a message for 14 days; a day more than 16 days gone is emptied.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

OUTCOMES = "maskline_outcomes"
"""The ledger's table."""

ROWS_MISSING = "MK001"
"""What ``maskline_guard`` raises where a table took another number of rows than the ledger."""

KEYS_REFUSED = "MK002"
"""What it raises where rows are under a key that is not enabled; the error's detail names the keys."""

WRITES_LEDGER = "maskline.ledger"
"""The setting that tells the gates of the tables that a transaction enters its outcomes by itself."""

VOUCHED_AGE = timedelta(days=15)
VOUCHED_LEAD = timedelta(days=1)
"""For how old a message, and for how far ahead of the server's clock, the ledger can tell a first delivery."""

_EMPTY_OLD_DAYS = (
    "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '30s'; SELECT maskline_empty_old_outcomes()"
)


def empty_old_days(connection: psycopg.Connection[Any]) -> int:
    """Empty the partitions of days that are more than 16 days gone; where one is locked, leave it for the next time.

    Args:
        connection: A connection in autocommit, with the permissions of ``maskline_writer``.

    Returns:
        How many partitions were emptied.

    Raises:
        psycopg.Error: The server does not answer, or the function is not there.
    """
    try:
        ((emptied,),) = connection.execute(_EMPTY_OLD_DAYS).fetchall()
    except psycopg.errors.LockNotAvailable:
        return 0
    return int(emptied)
