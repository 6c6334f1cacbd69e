"""Suppressions, which keep the messages of an erased person from becoming rows when they are delivered again.

An erasure leaves fingerprints of the person (see `maskline.masks.fingerprints`) and its time, for 16 days; SQS keeps a
message for 14. Every transaction that writes first asks whether there is a suppression, no older than its oldest
message, that its writer has not read, and raises if so. A writer that has read them enters a suppressed message into
the ledger and into no table.

*Guarantee*: a message of the person that was sent before the erasure is in no table once the erasure has committed.
The question is asked in the transaction that writes, which so holds ``maskline_suppressions`` until its end; an erasure
locks that table, waits for all who hold it, looks for rows that were committed since it began, and then leaves the
suppression. So either it sees the row, or the row's writer sees the suppression.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from datetime import datetime

import msgspec
from psycopg import sql

from maskline.errors import KeysetError
from maskline.masks.fingerprints import PREFIX_BYTES
from maskline.postgres.arrays import array_literal
from maskline.postgres.connection import Connection
from maskline.postgres.ledger import OUTCOMES, VOUCHED_AGE, VOUCHED_LEAD
from maskline.postgres.statements import CONFIRMATION, LOCK_TIMEOUT_SECONDS, Record

SUPPRESSIONS = "maskline_suppressions"
"""The table."""

UNJUDGED = "MK004"
"""What ``maskline_raise_unjudged`` raises: there are suppressions that the writer has not read."""

IN_FORCE = "erased_at > now() - interval '16 days'"

ENTER_SUPPRESSED = (
    sql.SQL(
        "WITH batch AS MATERIALIZED (SELECT message_id, sent_at FROM unnest($1::uuid[], $2::timestamptz[])"
        " AS batch (message_id, sent_at)),"
        " fresh AS (INSERT INTO {outcomes} (message_id, sent_at) SELECT message_id, sent_at FROM batch"
        " ON CONFLICT DO NOTHING RETURNING sent_at)"
        " SELECT count(*), count(*) FILTER (WHERE sent_at NOT BETWEEN now() - {age} AND now() + {lead}), ({emit})"
        " FROM fresh"
    )
    .format(
        outcomes=sql.Identifier(OUTCOMES),
        age=sql.Literal(VOUCHED_AGE),
        lead=sql.Literal(VOUCHED_LEAD),
        emit=sql.SQL(CONFIRMATION),
    )
    .as_string()
)
"""Enters messages into the ledger alone; its one row is how many are new there, and how many it cannot vouch for."""


class Suppressions(msgspec.Struct, frozen=True):
    """The suppressions that a writer has read.

    Attributes:
        last_id: The id of the newest of them.
        erased_at: When each fingerprint was erased, the last time.
        keys: For each erasure, by its time, the keys of its fingerprints.
    """

    last_id: int = 0
    erased_at: dict[bytes, datetime] = {}
    keys: dict[datetime, frozenset[bytes]] = {}

    def split(self, records: Sequence[Record]) -> tuple[list[Record], Sequence[Record]]:
        """Split records into those that are suppressed and the others.

        Args:
            records: The records of a micro-batch.

        Raises:
            KeysetError: A record was masked with none of the keys of an erasure, so nobody can tell whose it is.
        """
        newest = max(self.keys, default=None)
        if newest is None or all(record.sent_at > newest for record in records):
            return [], records
        suppressed: list[Record] = []
        others: list[Record] = []
        for record in records:
            (suppressed if self._is_suppressed(record) else others).append(record)
        return suppressed, others

    def _is_suppressed(self, record: Record) -> bool:
        for fingerprint in record.subjects:
            erased_at = self.erased_at.get(fingerprint)
            if erased_at is not None and record.sent_at <= erased_at:
                return True
        keys = {fingerprint[:PREFIX_BYTES] for fingerprint in record.subjects}
        for erased_at, keys_then in self.keys.items():
            if keys and record.sent_at <= erased_at and keys.isdisjoint(keys_then):
                names = ", ".join(str(int.from_bytes(key, "big")) for key in sorted(keys_then))
                raise KeysetError(
                    f"keyset: holds none of the keys ({names}) under which somebody was erased on {erased_at:%F}, so "
                    "nobody can tell whether a message sent before is theirs; give a keyset that holds one of them, or "
                    "erase the same person again with this one"
                )
        return False


def unread_check(last_id: int, oldest: datetime) -> sql.Composed:
    """Return the statement that raises `UNJUDGED` if there are suppressions that a writer has not read.

    It goes before what writes, in the same transaction.

    Args:
        last_id: The last suppression read.
        oldest: When the oldest message was sent.
    """
    return sql.SQL(
        "SET LOCAL TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {lock_timeout};"
        " SELECT maskline_raise_unjudged() WHERE EXISTS (SELECT FROM {suppressions}"
        " WHERE erased_at >= {oldest}::timestamptz AND id > {last_id} AND {in_force}); "
    ).format(
        lock_timeout=sql.Literal(f"{LOCK_TIMEOUT_SECONDS}s"),
        suppressions=sql.Identifier(SUPPRESSIONS),
        oldest=sql.Literal(str(oldest)),
        last_id=sql.Literal(last_id),
        in_force=sql.SQL(IN_FORCE),
    )


def has_suppressions(connection: Connection) -> bool:
    """Return whether the schema has the table, which it has from revision 0015 on.

    Args:
        connection: A connection in autocommit.
    """
    ((is_there,),) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [SUPPRESSIONS]).fetchall()
    return bool(is_there)


def read_suppressions(connection: Connection) -> Suppressions:
    """Read the suppressions that are in force.

    Args:
        connection: A connection in autocommit with the permissions of ``maskline_writer``.

    Raises:
        psycopg.Error: They cannot be read.
    """
    query = sql.SQL("SELECT id, fingerprint, erased_at FROM {} WHERE {} ORDER BY id").format(
        sql.Identifier(SUPPRESSIONS), sql.SQL(IN_FORCE)
    )
    erased_at: dict[bytes, datetime] = {}
    keys: dict[datetime, set[bytes]] = collections.defaultdict(set)
    last_id = 0
    with connection.cursor() as cursor:
        cursor.execute(query)
        for last_id, fingerprint, when in cursor:  # noqa: B007 - the last one counts
            erased_at[bytes(fingerprint)] = max(when, erased_at.get(bytes(fingerprint), when))
            keys[when].add(bytes(fingerprint)[:PREFIX_BYTES])
    return Suppressions(last_id, erased_at, {when: frozenset(found) for when, found in keys.items()})


def suppressed_parameters(records: Sequence[Record]) -> list[str]:
    """Return the parameters of `ENTER_SUPPRESSED`.

    Args:
        records: Records sorted by message id, each message once.
    """
    return [
        array_literal(record.receipt.message_id for record in records),
        array_literal(str(record.sent_at) for record in records),
    ]


def expire_suppressions(connection: Connection) -> None:
    """Delete the suppressions that have expired.

    Args:
        connection: A connection in autocommit with the permissions of ``maskline_writer``.

    Raises:
        psycopg.Error: The server does not answer, or the function is not there.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'; SELECT maskline_expire_suppressions()")
