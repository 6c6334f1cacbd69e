"""UUIDs, as RFC 9562 writes them: 32 hexadecimal digits in small letters, in five groups.

Capitals, no hyphens, braces around it and ``urn:uuid:`` before it are other spellings of the same.

Source: https://www.rfc-editor.org/rfc/rfc9562#section-4
"""

from __future__ import annotations

import re
from itertools import pairwise

VERSION = 2
PACKAGE = None

_HYPHENATED = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SPELLINGS = re.compile(
    rf"(?:urn:uuid:)?({_HYPHENATED})|\{{({_HYPHENATED}|[0-9a-f]{{32}})\}}|([0-9a-f]{{32}})", re.IGNORECASE | re.ASCII
)
_GROUPS = (0, 8, 12, 16, 20, 32)

is_canonical = re.compile(_HYPHENATED).fullmatch


def normal_form(value: str) -> str | None:
    """Return the one spelling of a UUID, or None where it is none."""
    match = _SPELLINGS.fullmatch(value.strip())
    if match is None:
        return None
    digits = match[match.lastindex or 0].replace("-", "").lower()
    return "-".join(digits[start:end] for start, end in pairwise(_GROUPS))
