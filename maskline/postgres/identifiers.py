"""Names in SQL that is written as text, for a person to read or a migration to print."""

from __future__ import annotations

from collections.abc import Sequence

from maskline.streams.definition import StreamDefinition


def quoted(names: Sequence[str]) -> str:
    """Return identifiers in quotation marks, so that they may be words of SQL.

    Args:
        names: Names that a definition may have (see `maskline.streams.definition`).
    """
    return ", ".join(f'"{name}"' for name in names)


def quoted_table(stream: StreamDefinition) -> str:
    """Return a stream's table, quoted."""
    return ".".join(map(quoted, ([part] for part in stream.table_parts)))
