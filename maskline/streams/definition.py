"""The definition of a stream: which fields its messages have and which column each becomes.

One TOML file a stream. Parsing, masking, queries, preflight checks and `unmask` all read it, so that a second stream
is a second file and no code. What may stand in one is described in docs/streams.md::

    name = "orders"
    table = "shop.orders"

    [message]
    envelope = ["sns"]

    [columns.order_id]
    field = "id"
    type = "bigint"

    [columns.masked_email]
    field = "customer.email"
    type = "varchar(400)"
    mask = "deterministic"
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from maskline.errors import ArgumentError, StreamDefinitionError
from maskline.streams.columns import Column
from maskline.streams.definition_file import parse_definition
from maskline.streams.stream import JOB_COLUMNS, JOB_TABLES, WRITTEN_IN, StreamDefinition

__all__ = [
    "JOB_COLUMNS",
    "JOB_TABLES",
    "WRITTEN_IN",
    "Column",
    "StreamDefinition",
    "load_stream",
    "masked_column",
    "parse_stream",
]


def masked_column(stream: StreamDefinition, name: str) -> Column:
    """Return a stream's masked column of that name.

    Args:
        stream: The stream.
        name: The column.

    Raises:
        ArgumentError: There is none; the message names those that there are.
    """
    for column in stream.masked_columns:
        if column.name == name:
            return column
    names = ", ".join(column.name for column in stream.masked_columns)
    raise ArgumentError(f"column {name!r}: is not a masked column of {stream.name}; those are: {names}")


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
            problem = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise StreamDefinitionError(f"stream {name_or_path}: cannot be read: {problem}") from None
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
        text: The TOML text, with or without a byte order mark.
        origin: Where it came from, for the error.

    Raises:
        StreamDefinitionError: It is not a sound definition.
    """
    try:
        return parse_definition(text.removeprefix("\ufeff"))
    except ValueError as error:  # msgspec's errors are that, too
        raise StreamDefinitionError(f"stream {origin}: {error}") from None
