"""The statement that gives each message of a micro-batch its outcome: ledger and tables in one transaction.

It enters the messages into the ledger, inserts those that are new there into their tables, and raises, so that all of
it rolls back, where a table took another number of rows. It works behind PgBouncer in transaction mode, and does not
depend on how the server is set up: isolation, durability, time-outs and deferred constraints are said before it. Names
are quoted, every value is a parameter, and each column is one array. Parameters travel beside the statement, so that a
server which writes a statement that failed into its log does not write the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from psycopg import sql

from maskline.postgres.arrays import array_literal, moment_array
from maskline.postgres.binary_arrays import (
    BinaryArray,
    bigint_array,
    date_array,
    since_2000,
    text_array,
    timestamptz_array,
)
from maskline.postgres.ledger import OUTCOMES, VOUCHED_AGE, VOUCHED_LEAD, WRITES_LEDGER
from maskline.records import MaskedRow, Receipt, Rejection
from maskline.streams.definition import StreamDefinition

LOCK_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_SECONDS = 30

REJECTED_MESSAGES = "rejected_messages"

QUEUE_SETTING = "maskline.queue"
"""The setting that says, for the transaction, which queue the rejections in it came from."""

CONFIRMATION = "SELECT pg_logical_emit_message(true, 'maskline', '')"
"""Writes to the log, so that the commit is acknowledged only once all that stands before it in the log is, too.

A transaction that finds nothing but duplicates would else not wait for the standby that their own commit waits for.

Source: https://www.postgresql.org/docs/current/functions-admin.html#PG-LOGICAL-EMIT-MESSAGE
"""


_DURABLE = (
    "set_config('synchronous_commit',"
    " CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)"
)

COMMIT = f"SELECT {_DURABLE}; COMMIT"
"""Ends a transaction durably, whatever a trigger of the table has set in it meanwhile."""

KEYS_SETTING = "maskline.used_keys"
"""The setting that says, for the transaction, which keys its rows are masked under."""

_REFUSED_KEYS = sql.SQL(
    ", ARRAY(SELECT key_id FROM unnest(current_setting({})::bigint[]) AS used (key_id) WHERE (key_id IN"
    " (SELECT known.key_id FROM maskline_keys AS known WHERE known.state = 'enabled')) IS NOT TRUE)"
).format(sql.Literal(KEYS_SETTING))
"""What the guard is told of keys. To read ``maskline_keys`` keeps each from being disabled until the commit.

The writer says which keys they are: to look for them in the batch would cost more than all the rest of the guard.
"""

_NO_KEYS = sql.SQL("")


class _HasReceipt(Protocol):
    @property
    def receipt(self) -> Receipt: ...
    @property
    def key_id(self) -> int: ...
    @property
    def sent_at(self) -> datetime: ...
    @property
    def subjects(self) -> tuple[bytes, ...]: ...


Record = TypeVar("Record", bound=_HasReceipt)

Parameter = str | BinaryArray
"""An array of a statement."""


def transaction_settings(queue: str | None = None) -> sql.Composed:
    """Return the settings that each transaction begins with, whatever the server, the database or the role has set.

    ``synchronous_commit`` is raised to ``on`` and never lowered. Deferred constraints are checked before the commit, so
    that they name a row and not a whole transaction.

    Source: https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-SYNCHRONOUS-COMMIT

    Args:
        queue: The queue that the messages came from, for rejections to keep; None where that is not known.
    """
    return sql.SQL(
        "SET LOCAL TRANSACTION ISOLATION LEVEL READ COMMITTED;"
        " SET LOCAL lock_timeout = {lock_timeout}; SET LOCAL statement_timeout = {statement_timeout};"
        " SET LOCAL client_min_messages = warning; SET LOCAL array_nulls = on; SET CONSTRAINTS ALL IMMEDIATE;"
        f" SELECT {_DURABLE},"
        " set_config({ledger}, 'on', true){queue}; "
    ).format(
        lock_timeout=sql.Literal(f"{LOCK_TIMEOUT_SECONDS}s"),
        statement_timeout=sql.Literal(f"{STATEMENT_TIMEOUT_SECONDS}s"),
        ledger=sql.Literal(WRITES_LEDGER),
        queue=_queue_setting(queue),
    )


def _queue_setting(queue: str | None) -> sql.Composable:
    if queue is None:
        return sql.SQL("")
    return sql.SQL(", set_config({}, {}, true)").format(sql.Literal(QUEUE_SETTING), sql.Literal(queue))


class InsertStatement(Generic[Record]):
    """Gives the records of a micro-batch their outcome.

    Its one row is what the guard says; the message ids that it entered, as an array, or NULL for all of them; how many
    of those the ledger cannot vouch for, since they were sent too long ago or too far ahead of the server's clock; and
    the place of its last entry in the log.

    Args:
        table: The table to insert into, with its schema or found by the search path.
        arrays: The columns by name, each with the type of an array of its values. ``message_id``, ``sent_at`` and
            ``key_id`` have to be among them.
        keeps_earlier: Whether a row of the same message that is in the table already, and not in the ledger any more,
            counts as this one. It takes a unique index on ``message_id``.
        queue: As for `transaction_settings`.

    Attributes:
        table: The table.
        columns: The columns that it fills.
        query: The statement, with its parameters as ``$1`` and so on.
        query_without_keys: The same for a schema before revision 0012, which does not know its keys.
        streams: The streams whose rows it inserts; none where it inserts rejections.
        warns_of_age: Whether a row whose message may come again after its day of the ledger was emptied is news.
    """

    query: str
    query_without_keys: str
    streams: tuple[StreamDefinition, ...] = ()
    warns_of_age = True

    def __init__(
        self, table: str, arrays: dict[str, str], *, keeps_earlier: bool = False, queue: str | None = None
    ) -> None:
        self.table = table
        self.columns = frozenset(arrays)
        self._arrays = arrays
        columns = sql.SQL(", ").join(map(sql.Identifier, arrays))
        values = (_value(name, array) for name, array in arrays.items())
        target = sql.Identifier(*table.split("."))
        earlier: sql.Composable = sql.SQL("")
        if keeps_earlier:
            earlier = sql.SQL(
                " + (SELECT count(*) FROM {} AS earlier WHERE earlier.message_id IN (SELECT message_id FROM fresh))"
            ).format(target)
        template = sql.SQL(
            "WITH batch AS MATERIALIZED (SELECT {values} FROM unnest({arrays}) AS batch ({columns})),"
            " fresh AS (INSERT INTO {outcomes} (message_id, sent_at) SELECT message_id, sent_at FROM batch"
            " ON CONFLICT DO NOTHING RETURNING message_id, sent_at),"
            " written AS (INSERT INTO {target} ({columns}) SELECT {columns} FROM batch"
            " WHERE (message_id IN (SELECT message_id FROM fresh)) IS TRUE{on_conflict} RETURNING 1),"
            " entered AS (SELECT count(*) AS messages,"
            " count(*) FILTER (WHERE sent_at NOT BETWEEN now() - {age} AND now() + {lead}) AS unvouched FROM fresh)"
            " SELECT maskline_guard(messages, (SELECT count(*) FROM written){earlier}{refused_keys}),"
            " CASE WHEN messages < (SELECT count(*) FROM batch) THEN ARRAY(SELECT message_id FROM fresh)::text[] END,"
            " unvouched, pg_logical_emit_message(true, 'maskline', '') FROM entered"
        )
        parts = {
            "values": sql.SQL(", ").join(values),
            "arrays": _numbered(arrays.values(), first=1),
            "columns": columns,
            "outcomes": sql.Identifier(OUTCOMES),
            "target": target,
            "on_conflict": sql.SQL(" ON CONFLICT (message_id) DO NOTHING" if keeps_earlier else ""),
            "earlier": earlier,
            "age": sql.Literal(VOUCHED_AGE),
            "lead": sql.Literal(VOUCHED_LEAD),
        }
        self._settings = transaction_settings(queue)
        self.query = template.format(refused_keys=_REFUSED_KEYS, **parts).as_string()
        self.query_without_keys = template.format(refused_keys=_NO_KEYS, **parts).as_string()

    def for_records(self, records: Sequence[Record]) -> InsertStatement[Record]:  # noqa: ARG002
        """Return the statement that writes these records, which is this one unless it writes several tables.

        Args:
            records: The micro-batch, not empty.
        """
        return self

    def before(self, records: Sequence[Record]) -> sql.Composed:
        """Return the statements that come before it in its transaction, of which one says what keys it uses.

        Args:
            records: The micro-batch, not empty.
        """
        used_keys = array_literal(sorted(map(str, {record.key_id for record in records})))
        return self._settings + sql.SQL("SELECT set_config({}, {}, true); ").format(
            sql.Literal(KEYS_SETTING), sql.Literal(used_keys)
        )

    def table_of(self, record: Record) -> str:  # noqa: ARG002
        """Return the table that a record goes to.

        Args:
            record: One of the micro-batch.
        """
        return self.table

    def parameters(self, records: Sequence[Record]) -> Sequence[Parameter]:
        """Return the arrays for a micro-batch, one a column.

        Args:
            records: The micro-batch, not empty, sorted by message id (in any other order two writers could wait for
                each other), each message once.
        """
        raise NotImplementedError


class InsertRows(InsertStatement[MaskedRow]):
    """Inserts masked rows into their stream's table.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: StreamDefinition) -> None:
        super().__init__(stream.table, row_arrays(stream))
        self.streams = (stream,)

    def parameters(self, records: Sequence[MaskedRow]) -> Sequence[Parameter]:
        """Return the arrays for a micro-batch."""
        return row_parameters(records, self._arrays)


class InsertRowsOfStreams(InsertStatement[MaskedRow]):
    """Inserts masked rows of several streams, each into its stream's table, in one transaction.

    All messages enter the ledger in one insert, sorted by message id, so that two writers never wait for each other
    however their messages are spread over the tables; the guard compares it with what all tables took. Rows of one
    stream alone are written by that stream's own `InsertRows`.

    Args:
        streams: The streams, two or more, each with a name of its own. Several may write to one table.
    """

    def __init__(self, streams: Sequence[StreamDefinition]) -> None:
        self.streams = tuple(streams)
        self._streams = {stream.name: stream for stream in streams}
        self._inserts = {stream.name: InsertRows(stream) for stream in streams}
        self._statements: dict[tuple[str, ...], InsertStatement[MaskedRow]] = {}
        self._settings = transaction_settings()
        self.table = ", ".join(dict.fromkeys(stream.table for stream in streams))
        self.columns = frozenset[str]().union(*(insert.columns for insert in self._inserts.values()))
        targets = [(stream.table, row_arrays(stream)) for stream in streams]
        self.query = _insert_of_several(targets, _REFUSED_KEYS)
        self.query_without_keys = _insert_of_several(targets, _NO_KEYS)

    def for_records(self, records: Sequence[MaskedRow]) -> InsertStatement[MaskedRow]:
        """Return the statement that names the tables of these rows and no others."""
        found = {row.stream for row in records}
        names = tuple(name for name in self._inserts if name in found)
        if len(names) == 1:
            return self._inserts[names[0]]
        if len(names) == len(self._inserts):
            return self
        if names not in self._statements:
            self._statements[names] = InsertRowsOfStreams([self._streams[name] for name in names])
        return self._statements[names]

    def table_of(self, record: MaskedRow) -> str:
        """Return the table of the row's stream."""
        return self._inserts[record.stream].table

    def parameters(self, records: Sequence[MaskedRow]) -> Sequence[Parameter]:
        """Return the arrays for a micro-batch that has rows of each stream, those of the first stream first."""
        rows: dict[str, list[MaskedRow]] = {name: [] for name in self._inserts}
        for row in records:
            rows[row.stream].append(row)
        return [array for name, insert in self._inserts.items() for array in insert.parameters(rows[name])]


class InsertRejections(InsertStatement[Rejection]):
    """Inserts rejections into ``rejected_messages``.

    Args:
        queue: The queue that the messages came from, by URL or name, or None where that is not known. It goes into a
            setting of the transaction that the column takes its default from, so that a schema without the column is
            written as well.
    """

    def __init__(self, queue: str | None = None) -> None:
        arrays = {
            "message_id": "uuid[]",
            "stream": "varchar[]",
            "reason": "varchar[]",
            "detail": "text[]",
            "sent_at": "timestamptz[]",
            "receive_count": "integer[]",
            "key_id": "bigint[]",
            "body": "bytea[]",
        }
        super().__init__(REJECTED_MESSAGES, arrays, keeps_earlier=True, queue=queue)

    def parameters(self, records: Sequence[Rejection]) -> Sequence[Parameter]:
        """Return the arrays for a micro-batch."""
        return [
            array_literal(rejection.receipt.message_id for rejection in records),
            array_literal(rejection.stream for rejection in records),
            array_literal(str(rejection.reason) for rejection in records),
            array_literal(rejection.detail for rejection in records),
            moment_array([rejection.sent_at for rejection in records]),
            array_literal(str(rejection.receive_count) for rejection in records),
            array_literal(str(rejection.key_id) for rejection in records),
            array_literal(f"\\x{rejection.sealed_body.hex()}" for rejection in records),
        ]


def row_arrays(stream: StreamDefinition) -> dict[str, str]:
    """Return the columns of a stream's table by name, each with the type of an array of its values.

    Args:
        stream: The stream.
    """
    arrays = {column.name: column.type.array for column in stream.columns}
    return arrays | {"create_date": "date[]", "message_id": "uuid[]", "sent_at": "timestamptz[]", "key_id": "bigint[]"}


class _Row(_HasReceipt, Protocol):
    @property
    def values(self) -> tuple[object, ...]: ...


def row_parameters(rows: Sequence[_Row], arrays: dict[str, str]) -> list[Parameter]:
    """Return the arrays of `row_arrays`; create_date is the UTC date of SentTimestamp, so it never changes.

    Args:
        rows: Rows of one stream, not empty.
        arrays: What `row_arrays` returns for it, and maybe more.
    """
    sent_at = since_2000(row.sent_at for row in rows)
    return [
        *map(_array, arrays.values(), zip(*[row.values for row in rows], strict=True)),
        date_array(sent_at),
        array_literal([row.receipt.message_id for row in rows]),
        timestamptz_array(sent_at),
        bigint_array([row.key_id for row in rows]),
    ]


def _array(array: str, values: Sequence[object]) -> Parameter:
    element = array.removesuffix("[]")
    return text_array(element, values) if element in ("text", "varchar") else array_literal(values)


def _insert_of_several(targets: Sequence[tuple[str, dict[str, str]]], refused_keys: sql.Composable) -> str:
    """Return the statement over several tables, whose one row is that of `InsertStatement`."""
    batches: list[sql.Composable] = []
    inserts: list[sql.Composable] = []
    first = 1
    for place, (table, arrays) in enumerate(targets):
        names = {
            "batch": sql.Identifier(f"batch_{place}"),
            "written": sql.Identifier(f"written_{place}"),
            "columns": sql.SQL(", ").join(map(sql.Identifier, arrays)),
        }
        batches.append(
            sql.SQL("{batch} AS MATERIALIZED (SELECT {values} FROM unnest({arrays}) AS batch ({columns}))").format(
                values=sql.SQL(", ").join(_value(name, array) for name, array in arrays.items()),
                arrays=_numbered(arrays.values(), first),
                **names,
            )
        )
        first += len(arrays)
        inserts.append(
            sql.SQL(
                "{written} AS (INSERT INTO {target} ({columns}) SELECT {columns} FROM {batch}"
                " WHERE (message_id IN (SELECT message_id FROM fresh)) IS TRUE RETURNING 1)"
            ).format(target=sql.Identifier(*table.split(".")), **names)
        )
    places = range(len(targets))
    statement = sql.SQL(
        "WITH {batches},"
        " batch AS MATERIALIZED ({messages}),"
        " fresh AS (INSERT INTO {outcomes} (message_id, sent_at) SELECT message_id, sent_at FROM batch"
        " ORDER BY message_id ON CONFLICT DO NOTHING RETURNING message_id, sent_at),"
        " {inserts},"
        " entered AS (SELECT count(*) AS messages,"
        " count(*) FILTER (WHERE sent_at NOT BETWEEN now() - {age} AND now() + {lead}) AS unvouched FROM fresh)"
        " SELECT maskline_guard(messages, {written}{refused_keys}),"
        " CASE WHEN messages < (SELECT count(*) FROM batch) THEN ARRAY(SELECT message_id FROM fresh)::text[] END,"
        " unvouched, pg_logical_emit_message(true, 'maskline', '') FROM entered"
    ).format(
        batches=sql.SQL(", ").join(batches),
        messages=sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT message_id, sent_at, key_id FROM {}").format(sql.Identifier(f"batch_{place}"))
            for place in places
        ),
        refused_keys=refused_keys,
        outcomes=sql.Identifier(OUTCOMES),
        inserts=sql.SQL(", ").join(inserts),
        written=sql.SQL(" + ").join(
            sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(f"written_{place}")) for place in places
        ),
        age=sql.Literal(VOUCHED_AGE),
        lead=sql.Literal(VOUCHED_LEAD),
    )
    return statement.as_string()


def _numbered(arrays: Iterable[str], first: int) -> sql.Composed:
    """Return parameters of these types, from a number on."""
    return sql.SQL(", ").join(
        sql.SQL(f"${number}::{_transport(array)}") for number, array in enumerate(arrays, start=first)
    )


def _transport(array: str) -> str:
    """Return the type of the array that a column travels as: of arrays, as text, for unnest takes nested ones apart."""
    return "text[]" if array.endswith("[][]") else array


def _value(name: str, array: str) -> sql.Composable:
    if not array.endswith("[][]"):
        return sql.Identifier(name)
    return sql.SQL("{name}::" + array.removesuffix("[]") + " AS {name}").format(name=sql.Identifier(name))
