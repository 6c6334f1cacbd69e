"""One ``[columns.NAME]`` of a definition file, as it is written."""

from __future__ import annotations

import msgspec

from maskline.streams.columns import Plain


class ColumnFile(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of one column, as docs/streams.md describes them."""

    type: str
    field: str | None = None
    mask: str | None = None
    pii: bool = False
    clear: bool | list[str] = False
    pad: int | None = None
    domain: str | None = None
    nullable: bool = False
    required: bool = True
    default: Plain | list[Plain] | None = None
    max_length: int | None = None
    format: str | None = None
    round: bool = False
    values: list[Plain] | None = None
    pattern: str | None = None
