"""The definition of a stream: which fields its messages have and which column each becomes.

One TOML file a stream. Parsing, masking, queries, preflight checks and `unmask` all read it, so that a second stream
is a second file and no code::

    name = "orders"
    table = "orders"

    [columns.order_id]
    type = "bigint"

    [columns.masked_email]
    field = "email"          # the field of the message; the column's own name if left out
    type = "varchar(400)"
    pii = true               # masked; only text can be
    domain = "email"         # "orders.masked_email" if left out; columns of one domain can be joined
    nullable = true          # JSON null is allowed and stays NULL
    max_length = 254         # of the clear value, in characters
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import msgspec

from maskline.errors import StreamDefinitionError, UsageError
from maskline.masks.deterministic import REJECTED_BODY_DOMAIN
from maskline.masks.tokens import token_length
from maskline.streams.column_types import ColumnType

JOB_COLUMNS = {
    "create_date": "date",
    "message_id": "uuid",
    "sent_at": "timestamptz",
    "processed_at": "timestamptz",
    "key_id": "bigint",
}
"""The columns that the job itself fills, in every table: what each is for stands in docs/streams.md."""

WRITTEN_IN = "written_in"
"""The column that Postgres fills with the transaction that wrote the row; only publishing to the lake needs it."""

JOB_TABLES = ("rejected_messages", "pii_access_log", "maskline_schema_version", "lake_publications")
"""The tables that `migrate` makes for all streams."""

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Column(msgspec.Struct, frozen=True):
    """One column of a stream's table.

    Attributes:
        name: The column.
        field: The field of the message it comes from.
        type: Its Postgres type.
        domain: The associated data its values are masked with, or None where it is stored in clear.
        nullable: Whether JSON null is allowed.
        max_length: The longest clear value in characters, or None.
    """

    name: str
    field: str
    type: ColumnType
    domain: str | None
    nullable: bool
    max_length: int | None

    @property
    def is_masked(self) -> bool:
        """Whether the column holds tokens."""
        return self.domain is not None


class StreamDefinition(msgspec.Struct, frozen=True):
    """What a stream's messages look like and where they go.

    Attributes:
        name: The stream's name, part of its columns' default domains.
        table: The table its rows are written to.
        columns: Its columns in the order of the file.
    """

    name: str
    table: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def masked_columns(self) -> tuple[Column, ...]:
        """The columns that hold tokens."""
        return tuple(column for column in self.columns if column.is_masked)


def masked_column(stream: StreamDefinition, name: str) -> Column:
    """Return a stream's masked column of that name.

    Args:
        stream: The stream.
        name: The column.

    Raises:
        UsageError: There is none; the message names those that there are.
    """
    for column in stream.masked_columns:
        if column.name == name:
            return column
    names = ", ".join(column.name for column in stream.masked_columns)
    raise UsageError(f"column {name!r}: is not a masked column of {stream.name}; those are: {names}")


class _ColumnFile(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    field: str | None = None
    pii: bool = False
    domain: str | None = None
    nullable: bool = False
    max_length: int | None = None


class _StreamFile(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    table: str
    columns: dict[str, object]


def load_stream(name_or_path: str) -> StreamDefinition:
    """Read and check a stream definition.

    Args:
        name_or_path: The name of a stream that comes with maskline (``user_logins``), or the path of a TOML file.

    Raises:
        StreamDefinitionError: There is no such stream, or the file is not a sound definition. The message names the
            file, the column and what to write instead.
    """
    if name_or_path.endswith(".toml"):
        try:
            return parse_stream(Path(name_or_path).read_text(encoding="utf-8"), origin=name_or_path)
        except (OSError, UnicodeDecodeError) as error:
            raise StreamDefinitionError(f"stream {name_or_path}: cannot be read: {error}") from None
    shipped = [entry for entry in resources.files("maskline.streams").iterdir() if entry.name.endswith(".toml")]
    known = {entry.name.removesuffix(".toml"): entry for entry in shipped}
    if name_or_path not in known:
        raise StreamDefinitionError(
            f"stream {name_or_path!r} is not known; known: {', '.join(sorted(known))}. "
            "For a stream of your own give the path of its .toml file"
        )
    return parse_stream(known[name_or_path].read_text(encoding="utf-8"), origin=name_or_path)


def parse_stream(text: str, origin: str) -> StreamDefinition:
    """Read and check a stream definition.

    Args:
        text: The TOML text.
        origin: Where it came from, for the error.

    Raises:
        StreamDefinitionError: It is not a sound definition.
    """
    try:
        file = msgspec.toml.decode(text, type=_StreamFile)
        return _checked(file)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StreamDefinitionError(f"stream {origin}: {error}") from None


def _checked(file: _StreamFile) -> StreamDefinition:
    for what, name in (("name", file.name), ("table", file.table)):
        _check_identifier(what, name)
    if file.table in JOB_TABLES:
        raise ValueError(f"table {file.table!r} is one of maskline's own")
    if not file.columns:
        raise ValueError("a stream needs at least one column")
    columns = tuple(_checked_column(file.name, name, column) for name, column in file.columns.items())
    fields = [column.field for column in columns]
    for field in fields:
        if fields.count(field) > 1:
            raise ValueError(f"field {field!r} feeds more than one column")
    return StreamDefinition(file.name, file.table, columns)


def _checked_column(stream: str, name: str, described: object) -> Column:
    _check_identifier("column", name)
    if name in JOB_COLUMNS or name == WRITTEN_IN:
        raise ValueError(f"column {name!r} is filled by the job itself and cannot come from a message")
    try:
        column = msgspec.convert(described, _ColumnFile)
        column_type = ColumnType.parse(column.type)
        _check_max_length(column, column_type)
        domain = _checked_domain(column, column_type, default=f"{stream}.{name}")
        if column.field == "":
            raise ValueError("an empty field is no field; leave it out for the column's own name")
    except ValueError as error:
        raise ValueError(f"column {name!r}: {error}") from None
    return Column(name, column.field or name, column_type, domain, column.nullable, column.max_length)


def _check_max_length(column: _ColumnFile, column_type: ColumnType) -> None:
    if column.max_length is not None and (column.max_length < 1 or not column_type.is_text):
        raise ValueError("max_length is a positive number of characters of a text column")
    if column_type.max_length is None:
        return
    longest = column.max_length or 1
    needed = token_length(longest) if column.pii else longest
    if column_type.max_length < needed and column.pii:
        raise ValueError(f"a token takes {needed} characters (at least {token_length(1)}), so widen its type")
    if column_type.max_length < needed:
        raise ValueError(f"max_length is longer than {column_type.declaration} can hold")


def _checked_domain(column: _ColumnFile, column_type: ColumnType, default: str) -> str | None:
    if not column.pii:
        if column.domain is not None:
            raise ValueError("a domain goes with pii = true")
        return None
    if not column_type.is_text:
        raise ValueError("a masked column holds tokens, so its type is varchar(n) or text")
    domain = default if column.domain is None else column.domain
    if not domain:
        raise ValueError("an empty domain would let its tokens be matched with any other such column")
    if domain == REJECTED_BODY_DOMAIN:
        raise ValueError(f"the domain {domain} is that of rejected bodies")
    return domain


def _check_identifier(what: str, name: str) -> None:
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{what} {name!r} is not an identifier of lower-case letters, digits and _ (63 at most)")
