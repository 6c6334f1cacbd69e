"""Forgetting persons in the database: rows of every stream's table, rejections, and what could bring them back.

*Guarantee*: rows and rejections leave in one transaction, with a suppression (see `maskline.postgres.suppressions`) and
an entry in ``pii_access_log``: all of it, or nothing. Values travel by COPY into a table of the session's own, so they
are in no statement, no parameter and no log of the server.

What Postgres itself keeps of deleted rows, in pages until VACUUM, in its write-ahead log and in backups, is out of
reach from here; docs/erasure.md says how long that stays and what ends it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from psycopg import sql

from maskline.errors import TokenError
from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.masks.fingerprints import PersonFingerprints
from maskline.masks.tokens import plain_texts
from maskline.postgres.access_log import enter_access
from maskline.postgres.connection import (
    NO_TRANSACTION_TIMEOUTS,
    Connection,
    Cursor,
    map_postgres_errors,
    transaction,
)
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS
from maskline.postgres.statements import REJECTED_MESSAGES
from maskline.postgres.suppressions import SUPPRESSIONS
from maskline.streams.column_mask import element_mask
from maskline.streams.mentions import MessageJudge, Verdict
from maskline.streams.stream import WRITTEN_IN, StreamDefinition
from maskline.streams.subjects import Subject

ROWS_PER_FETCH = 500
LOCK_SECONDS = 60

_SETTINGS = (
    f"{FULL_SCAN_SETTINGS}; {NO_TRANSACTION_TIMEOUTS};"
    " SELECT set_config('synchronous_commit',"
    " CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)"
)
_VALUES = "CREATE TEMPORARY TABLE maskline_erased (place integer NOT NULL, value text NOT NULL) ON COMMIT DROP"
_BEGINNING = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
_STAMPED_SINCE = sql.SQL(" AND found.{} >= %s::xid8").format(sql.Identifier(WRITTEN_IN))
_WRITTEN_SINCE = sql.SQL(" AND age(found.xmin) <= age(%s::xid8::xid)")
_OTHER_TABLES = """
    SELECT format('%%I.%%I', nspname, relname)
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p') AND NOT relispartition
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE (attname = 'key_id' AND atttypid = 'bigint'::regtype
           OR attname = 'message_id' AND atttypid = 'uuid'::regtype)
      AND relpersistence <> 't' AND pg_class.oid <> ALL (ARRAY(SELECT to_regclass(unnest(%s::text[]))::oid))
    GROUP BY nspname, relname
    HAVING count(*) = 2
    ORDER BY 1
"""

logger = logging.getLogger(__name__)


class UndecidedRejection(msgspec.Struct, frozen=True):
    """A rejection that may or may not belong to the persons; only a person can tell.

    Attributes:
        message_id: Its MessageId.
        stream: The stream that rejected it.
        reason: Why it was rejected.
        sent_at: SentTimestamp.
        is_readable: Whether the keyset decrypts its body.
    """

    message_id: str
    stream: str
    reason: str
    sent_at: datetime
    is_readable: bool


class Erasure(msgspec.Struct):
    """What an erasure removes from a database, or would remove.

    Attributes:
        rows: How many rows, by subject.
        rejections: How many rejections.
        undecided: The rejections that stay, for nobody can tell whose they are.
        unknown_keys: How many rows, by subject, were masked under keys that the keyset does not hold.
        other_tables: Tables that a job writes, and that no stream given writes.
    """

    rows: dict[Subject, int] = {}
    rejections: int = 0
    undecided: list[UndecidedRejection] = []
    unknown_keys: dict[Subject, int] = {}
    other_tables: list[str] = []

    @property
    def is_decided(self) -> bool:
        """Whether nothing is left that could belong to the persons."""
        return not (self.undecided or self.unknown_keys or self.other_tables)


class DatabaseEraser:
    """Erases persons from a database.

    Args:
        connection: A connection with the permissions of ``maskline_eraser``, of its own.
        keyset: Masks the persons' values under every key, and decrypts rejections.
        streams: The streams.
        subjects: Where the streams say whose a row is.
        by: What that is called.
        persons: The persons, as somebody writes them.
        decisions: Of some rejections, by message id, whether they are theirs.
    """

    def __init__(
        self,
        connection: Connection,
        keyset: Keyset,
        streams: Sequence[StreamDefinition],
        subjects: Sequence[Subject],
        by: str,
        persons: Sequence[str],
        decisions: Mapping[str, bool] | None = None,
    ) -> None:
        self._connection = connection
        self._tables = sorted({stream.table for stream in streams})
        self._subjects = subjects
        self._masker = Masker(keyset)
        self._key_ids = sorted(keyset.key_ids)
        self._values = {subject: values_of(subject, persons) for subject in subjects}
        self._reads_rows_without_key = keyset.has_raw_keys
        self._stored = {subject: stored_values(subject, persons, keyset) for subject in subjects}
        self._fingerprints = PersonFingerprints(keyset)
        self._judge = MessageJudge(subjects, by, persons)
        self._decisions = decisions or {}

    def rehearse(self) -> Erasure:
        """Find everything that `erase` would remove, and change nothing.

        Raises:
            DatabaseError: A table or a permission is missing.
        """
        erasure = Erasure()
        with map_postgres_errors(), transaction(self._connection) as cursor:
            self._begin(cursor)
            erasure.other_tables = self._other_tables(cursor)
            for place, subject in enumerate(self._subjects):
                cursor.execute(sql.SQL("SELECT count(*)") + self._rows_of(subject), [place])
                ((erasure.rows[subject],),) = cursor.fetchall()
                self._count_unknown_keys(cursor, subject, erasure)
            erasure.rejections = len(self._judge_rejections(cursor, sql.SQL(""), [], erasure))
            self._connection.rollback()
        return erasure

    def erase(self, reason: str) -> Erasure:
        """Delete rows and rejections, and leave suppressions and entries in ``pii_access_log``.

        Args:
            reason: Why, without saying whom.

        Raises:
            DatabaseError: A table or a permission is missing.
            DatabaseUnavailableError: A writer did not end in time; nothing was changed.
        """
        erasure = Erasure()
        with map_postgres_errors(), transaction(self._connection) as cursor:
            beginning = self._begin(cursor)
            self._delete_rows(cursor, erasure)
            logger.debug("erase: deleted rows")
            self._delete_rejections(cursor, erasure)
            logger.debug("erase: deleted rejections")
            # From here on nobody writes: what was committed since the beginning is all that is left to look at.
            cursor.execute(
                sql.SQL("SET LOCAL lock_timeout = {}; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
                    sql.Literal(f"{LOCK_SECONDS}s"), sql.Identifier(SUPPRESSIONS)
                )
            )
            logger.debug("erase: locked")
            self._delete_rows(cursor, erasure, since=beginning)
            self._delete_rejections(cursor, erasure, since=beginning)
            self._suppress(cursor)
            logger.debug("erase: suppressed")
            self._enter(cursor, erasure, reason)
            for subject in self._subjects:
                self._count_unknown_keys(cursor, subject, erasure)
            erasure.other_tables = self._other_tables(cursor)
        return erasure

    def _begin(self, cursor: Cursor) -> str:
        """Begin the transaction and bring the values into it; return what marks all that is written from now on."""
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(_SETTINGS)
        cursor.execute(_BEGINNING)
        ((beginning,),) = cursor.fetchall()
        cursor.execute(_VALUES)
        lines = (
            f"{place}\t{_escaped(value)}\n"
            for place, subject in enumerate(self._subjects)
            for value in self._stored[subject]
        )
        with cursor.copy("COPY pg_temp.maskline_erased FROM STDIN") as copy:
            copy.write("".join(lines))
        return str(beginning)

    def _rows_of(self, subject: Subject) -> sql.Composable:
        column = subject.column
        values = sql.SQL("SELECT value FROM pg_temp.maskline_erased WHERE place = %s")
        if column.type.is_array:
            condition = sql.SQL("found.{column} && ARRAY({values})::{array}")
        else:
            condition = sql.SQL("found.{column} = ANY (ARRAY({values})::{array})")
        return sql.SQL(" FROM {table} AS found WHERE ").format(
            table=sql.Identifier(*subject.stream.table_parts)
        ) + condition.format(
            column=sql.Identifier(column.name), values=values, array=sql.SQL(_scalar_array(column.type.array))
        )

    def _delete_rows(self, cursor: Cursor, erasure: Erasure, since: str | None = None) -> None:
        for place, subject in enumerate(self._subjects):
            query = sql.SQL("DELETE") + self._rows_of(subject)
            parameters: list[object] = [place]
            if since is not None:
                query += _STAMPED_SINCE if self._is_stamped(cursor, subject) else _WRITTEN_SINCE
                parameters.append(since)
            cursor.execute(query, parameters)
            erasure.rows[subject] = erasure.rows.get(subject, 0) + cursor.rowcount

    def _is_stamped(self, cursor: Cursor, subject: Subject) -> bool:
        """Return whether the rows of a table carry the transaction that wrote them, with an index to find them by.

        A row that is updated keeps it, but was there to be found before.
        """
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s"
            " AND atttypid = 'xid8'::regtype AND NOT attisdropped)",
            [subject.stream.table, WRITTEN_IN],
        )
        ((is_stamped,),) = cursor.fetchall()
        return bool(is_stamped)

    def _delete_rejections(self, cursor: Cursor, erasure: Erasure, since: str | None = None) -> None:
        condition, parameters = (sql.SQL(""), []) if since is None else (_WRITTEN_SINCE, [since])
        theirs = self._judge_rejections(cursor, condition, parameters, erasure)
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE message_id = ANY (%s::uuid[])").format(sql.Identifier(REJECTED_MESSAGES)),
            [theirs],
        )
        erasure.rejections += cursor.rowcount

    def _judge_rejections(
        self, cursor: Cursor, condition: sql.Composable, parameters: list[str], erasure: Erasure
    ) -> list[str]:
        """Return the message ids of the rejections that are theirs, and take note of those that nobody can judge."""
        query = sql.SQL(
            "SELECT message_id::text, stream, reason, sent_at, body FROM {} AS found WHERE true{} ORDER BY message_id"
        ).format(sql.Identifier(REJECTED_MESSAGES), condition)
        seen = {undecided.message_id for undecided in erasure.undecided}
        theirs = []
        with cursor.connection.cursor("bodies") as bodies:
            bodies.itersize = ROWS_PER_FETCH
            bodies.execute(query, parameters)
            for message_id, stream, reason, sent_at, sealed in bodies:
                verdict, is_readable = self._verdict(message_id, stream, bytes(sealed))
                if verdict is Verdict.THEIRS:
                    theirs.append(message_id)
                elif verdict is Verdict.UNDECIDED and message_id not in seen:
                    erasure.undecided.append(UndecidedRejection(message_id, stream, reason, sent_at, is_readable))
        return theirs

    def _verdict(self, message_id: str, stream: str, sealed: bytes) -> tuple[Verdict, bool]:
        try:
            kept = self._masker.unseal_body(sealed, stream, message_id)
            verdict, is_readable = self._judge.verdict(stream, kept), True
        except TokenError:
            verdict, is_readable = Verdict.UNDECIDED, False
        if verdict is Verdict.UNDECIDED and message_id in self._decisions:
            verdict = Verdict.THEIRS if self._decisions[message_id] else Verdict.NOT_THEIRS
        return verdict, is_readable

    def _suppress(self, cursor: Cursor) -> None:
        fingerprints = [
            fingerprint
            for subject in self._subjects
            for value in self._values[subject]
            for fingerprint in self._fingerprints.of_column(subject.stream.name, subject.column.name)(value)
        ]
        suppressions = sql.Identifier(SUPPRESSIONS)
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE erased_at < now() - interval '16 days'").format(suppressions),
        )
        cursor.execute(
            sql.SQL(
                "WITH now AS MATERIALIZED (SELECT clock_timestamp() AS erased_at)"
                " INSERT INTO {} (fingerprint, erased_at) SELECT unnest(%s::bytea[]), erased_at FROM now"
            ).format(suppressions),
            [fingerprints],
        )

    def _enter(self, cursor: Cursor, erasure: Erasure, reason: str) -> None:
        for subject, rows in erasure.rows.items():
            if rows:
                enter_access(
                    cursor,
                    action="erase from postgres",
                    stream=subject.stream.name,
                    column=subject.column.name,
                    row_count=rows,
                    reason=reason,
                )
        if erasure.rejections:
            enter_access(
                cursor,
                action="erase from rejections",
                stream=REJECTED_MESSAGES,
                column="body",
                row_count=erasure.rejections,
                reason=reason,
            )

    def _count_unknown_keys(self, cursor: Cursor, subject: Subject, erasure: Erasure) -> None:
        """Count the rows whose tokens are of keys that the keyset does not hold: nobody knows whose they are."""
        if subject.column.mask is None:
            return
        query = sql.SQL(
            "SELECT count(*) FROM {} WHERE {} IS NOT NULL AND"
            " CASE WHEN key_id IS NULL THEN NOT %s ELSE key_id <> ALL (%s::bigint[]) END"
        )
        table, column = sql.Identifier(*subject.stream.table_parts), sql.Identifier(subject.column.name)
        cursor.execute(query.format(table, column), [self._reads_rows_without_key, self._key_ids])
        ((count,),) = cursor.fetchall()
        if count:
            erasure.unknown_keys[subject] = count

    def _other_tables(self, cursor: Cursor) -> list[str]:
        cursor.execute(_OTHER_TABLES, [[REJECTED_MESSAGES, *self._tables]])
        return [name for (name,) in cursor]


def published_copies(connection: Connection) -> set[tuple[str, str]]:
    """Return the copies that were ever published from a database, each as the names of its stream and its copy.

    Args:
        connection: A connection with the permissions of ``maskline_eraser``.

    Raises:
        DatabaseError: It cannot be read.
    """
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute("SELECT DISTINCT stream, copy FROM lake_publications")
        return set(cursor.fetchall())


def values_of(subject: Subject, persons: Collection[str]) -> list[str]:
    """Return the values by which a column can name some persons, in clear.

    Args:
        subject: The column.
        persons: The persons, as somebody writes them.
    """
    return sorted({value for person in persons if (value := subject.value_of(person)) is not None})


def stored_values(subject: Subject, persons: Collection[str], keyset: Keyset) -> list[str]:
    """Return what the column of a table holds for some persons: their values, or their tokens under each key.

    Args:
        subject: The column.
        persons: The persons, as somebody writes them.
        keyset: The keyset.
    """
    values = values_of(subject, persons)
    if subject.column.mask is None:
        return values
    stored: list[str] = []
    for alone in keyset.each_alone():
        mask = element_mask(subject.column, Masker(alone))
        # A column that came to its rule later has tokens of values as they were sent, too.
        for value in sorted({*values, *persons}):
            token = mask(value)
            stored += plain_texts(token) if alone.has_raw_keys else [token]
    return stored


def _scalar_array(array: str) -> str:
    """Return the type of a list of single values, of a column whose batches are arrays of arrays, too."""
    return array.replace("[][]", "[]")


def _escaped(value: str) -> str:
    """Return a value as COPY reads it.

    Source: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
    """
    for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(character, escape)
    return value
