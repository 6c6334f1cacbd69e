"""Any text, in whatever case: as the rule ``text`` has it, and case-folded.

Folding is more than small letters: ß and ss are one.

Source: https://www.unicode.org/versions/latest/core-spec/chapter-3/#G34145 (D145, canonical caseless matching)
"""

from __future__ import annotations

import unicodedata

VERSION = 1
PACKAGE = None


def is_canonical(value: str) -> bool:
    """Return whether a value is plain ASCII in small letters with nothing around it."""
    return value.isascii() and value == value.strip() and value == value.lower()


def normal_form(value: str) -> str:
    """Return the text, folded."""
    folded = unicodedata.normalize("NFD", value.strip()).casefold()
    return unicodedata.normalize("NFC", folded)
