"""Which copies of a stream's table the lake has; apart from all that needs the lake's libraries."""

from __future__ import annotations

import enum


class Copy(enum.Enum):
    """Which of the two copies."""

    TOKENIZED = "opaque"
    CLEARTEXT = "clear"
