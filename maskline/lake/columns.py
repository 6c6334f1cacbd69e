"""The columns of a stream's two copies in the lake: how each is named, typed and explained, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pyarrow as pa
from psycopg import sql

from maskline.lake.copies import Copy
from maskline.streams.column_types import ColumnType
from maskline.streams.definition import Column, StreamDefinition
from maskline.streams.masks import Mask
from maskline.streams.stored_form import StoredForm, stored_form

PARTITION = "create_date"
"""Both copies have a directory for each day."""

MESSAGE_ID = "message_id"
KEY_ID = "key_id"

NOT_HELD = -(2**63)
"""What is selected in place of a date or a time that the lake cannot hold, infinity say. No time is this number."""


class LakeColumn(msgspec.Struct, frozen=True):
    """One column of a copy.

    Attributes:
        name: Its name in the lake.
        source: The column of the stream's table it comes from.
        type: Its type in the lake.
        comment: What it is, for whoever reads the table's schema.
        unmasked: The stream's column whose tokens are unmasked on the way, or None where values are taken as they are.
        form: What its values look like where the job masked them, or None where they may be anything.
        is_tokenized_document: Whether it holds JSON with tokens in it.
    """

    name: str
    source: str
    type: pa.DataType
    comment: str
    unmasked: Column | None = None
    form: StoredForm | None = None
    is_tokenized_document: bool = False

    @property
    def expression(self) -> sql.Composable:
        """What selects it: a number for a date or a time, for Python knows no years beyond 9999; text for most others.

        Elements of an array come in one dimension.
        """
        source = sql.Identifier(self.source)
        if self.name == PARTITION:
            return day_expression()
        if not pa.types.is_list(self.type):
            return _value_expression(source, self.type)
        elements = (
            "CASE WHEN {} IS NOT NULL THEN ARRAY(SELECT {} FROM unnest({}) WITH ORDINALITY AS t (e, n) ORDER BY n) END"
        )
        return sql.SQL(elements).format(source, _value_expression(sql.SQL("t.e"), self.type.value_type), source)

    @property
    def field(self) -> pa.Field:
        """The column in an Arrow schema."""
        return pa.field(self.name, self.type, metadata={"comment": self.comment})


def lake_columns(stream: StreamDefinition, copy: Copy) -> tuple[LakeColumn, ...]:
    """Return the columns of a copy, those of the stream first.

    In the clear copy a masked column is called by the field it recovers, ``ip`` for ``masked_ip``, unless that is no
    plain name or is taken, by a column or by another masked column of the same field. Names that differ in
    case alone are one name to Delta Lake.

    Args:
        stream: The stream.
        copy: Which copy.
    """
    names = [*(column.name for column in stream.columns), *_JOB_COLUMNS]
    fields = [column.field.lower() for column in stream.reversible_columns]
    taken = {*names, *(field for field in fields if fields.count(field) > 1)}
    columns = [_of_stream(column, copy, taken) for column in stream.columns]
    return (*columns, *_of_job(copy))


_MICROSECONDS = (
    "CASE WHEN {0} IS NULL THEN NULL WHEN isfinite({0}) AND {0} < '294247-01-01 00:00:00+00'"
    " THEN extract(epoch FROM date_trunc('second', {0}))::bigint * 1000000"
    " + extract(microseconds FROM {0})::bigint % 1000000 ELSE {1} END"
)
_DAYS = "CASE WHEN {0} IS NULL THEN NULL WHEN isfinite({0}) THEN {0} - DATE '1970-01-01' ELSE {1} END"
_DAY = (
    "CASE WHEN {0} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {0} - DATE '1970-01-01'"
    f" WHEN {{0}} IS NOT NULL THEN {NOT_HELD} END"
)


def day_expression() -> sql.Composable:
    """Return what selects the day of a row, by which a copy is partitioned: one that Python knows."""
    return sql.SQL(_DAY).format(sql.Identifier(PARTITION))


def _value_expression(source: sql.Composable, arrow_type: pa.DataType) -> sql.Composable:
    if pa.types.is_timestamp(arrow_type):
        return sql.SQL(_MICROSECONDS).format(source, sql.Literal(NOT_HELD))
    if pa.types.is_date(arrow_type):
        return sql.SQL(_DAYS).format(source, sql.Literal(NOT_HELD))
    return source + sql.SQL("::text") if arrow_type == pa.string() else source


def arrow_schema(columns: tuple[LakeColumn, ...]) -> pa.Schema:
    """Return the schema of a copy, comments included."""
    return pa.schema([column.field for column in columns])


_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JOB_COLUMNS = {
    PARTITION: (pa.date32(), "the UTC date of sent_at; the table is partitioned by it"),
    MESSAGE_ID: (pa.string(), "SQS's MessageId; no two rows have the same"),
    "sent_at": (pa.timestamp("us", tz="UTC"), "when the queue accepted the message"),
    "processed_at": (pa.timestamp("us", tz="UTC"), "when the row was written to Postgres"),
    KEY_ID: (pa.int64(), "the key that made the row's tokens"),
}


def _of_job(copy: Copy) -> Iterator[LakeColumn]:
    for name, (arrow_type, comment) in _JOB_COLUMNS.items():
        if name != KEY_ID or copy is Copy.TOKENIZED:
            yield LakeColumn(name, name, arrow_type, comment)


def _of_stream(column: Column, copy: Copy, taken: set[str]) -> LakeColumn:
    if column.mask is None:
        comment = f"the field {column.field}, as it was sent"
        return LakeColumn(column.name, column.name, _arrow_type(column.type), comment)
    if not column.mask.is_reversible:
        comment = _irreversible_comment(column, column.mask)
        form = stored_form(column) if copy is Copy.TOKENIZED else None
        return LakeColumn(column.name, column.name, _arrow_type(column.type), comment, form=form)
    if copy is Copy.TOKENIZED:
        equality = "equal values have equal tokens" if column.mask.keeps_equality else f"masked by {column.mask.name}"
        comment = f"a token for the field {column.field}; {equality} in the domain {column.domain}"
        return LakeColumn(
            column.name,
            column.name,
            _arrow_type(column.type),
            comment,
            form=stored_form(column),
            is_tokenized_document=column.type.name == "jsonb",
        )
    is_usable = _PLAIN_NAME.fullmatch(column.field) and column.field.lower() not in taken
    name = column.field if is_usable else column.name
    comment = f"personal data in clear: the field {column.field}, recovered from {column.name}"
    return LakeColumn(name, column.name, _arrow_type(column.type), comment, column)


def _irreversible_comment(column: Column, mask: Mask) -> str:
    if mask.keeps_equality:
        return f"a hash of the field {column.field}; equal values have equal hashes in the domain {column.domain}"
    return f"what is kept of the field {column.field}, masked by {mask.name}"


def _arrow_type(column_type: ColumnType) -> pa.DataType:
    value_type = _value_type(column_type)
    return pa.list_(value_type) if column_type.is_array else value_type


def _value_type(column_type: ColumnType) -> pa.DataType:
    if column_type.digits is not None:
        before, after = column_type.digits
        return pa.decimal128(before + after, after) if before + after <= _MAX_DIGITS else pa.string()
    return _ARROW_TYPES[column_type.name]


_MAX_DIGITS = 38
_ARROW_TYPES = {
    "varchar": pa.string(),
    "char": pa.string(),
    "text": pa.string(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "numeric": pa.string(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "uuid": pa.string(),
    "inet": pa.string(),
    "bytea": pa.string(),
    "jsonb": pa.string(),
}
