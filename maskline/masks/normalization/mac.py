"""MAC addresses of 48 bits, as Postgres writes its ``macaddr``: ``08:00:2b:01:02:03``.

The spellings are those that Postgres reads.

Source: https://www.postgresql.org/docs/current/datatype-net-types.html#DATATYPE-MACADDR
"""

from __future__ import annotations

import re

VERSION = 1
PACKAGE = None

_SPELLINGS = re.compile(
    r"""
    [0-9a-f]{2} (?: (?::[0-9a-f]{2}){5} | (?:-[0-9a-f]{2}){5} )
    | [0-9a-f]{6} [:-]? [0-9a-f]{6}
    | [0-9a-f]{4} (?: (?:\.[0-9a-f]{4}){2} | (?:-[0-9a-f]{4}){2} )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_SEPARATORS = str.maketrans("", "", ":-.")

is_canonical = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}").fullmatch


def normal_form(value: str) -> str | None:
    """Return the one spelling of an address, or None where it is none."""
    stripped = value.strip()
    if not _SPELLINGS.fullmatch(stripped):
        return None
    digits = stripped.translate(_SEPARATORS).lower()
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))
