"""Any text: composed (NFC), without white space around it.

So a letter with its accent is one letter, however it was typed. Compatible characters (full-width letters, ligatures)
stay apart.

Source: https://unicode.org/reports/tr15/
"""

from __future__ import annotations

import unicodedata

VERSION = 1
PACKAGE = None


def is_canonical(value: str) -> bool:
    """Return whether a value is plain ASCII with nothing around it, as most are."""
    return value.isascii() and value == value.strip()


def normal_form(value: str) -> str:
    """Return the text."""
    return unicodedata.normalize("NFC", value.strip())
