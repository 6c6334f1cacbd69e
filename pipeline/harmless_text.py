"""Text that somebody else wrote, made harmless for the terminal or the spreadsheet that shows it.

A value comes from whoever sends messages. A terminal obeys what stands behind an escape character in it, and a
spreadsheet runs what begins with an equals sign.

Sources: https://owasp.org/www-community/attacks/CSV_Injection, CWE-150, CWE-1236
"""

from __future__ import annotations

import re

from maskline.misleading_characters import MISLEADING, NOT_ASCII

_CONTROLS = re.compile(f"[\x00-\x08\x0b-\x1f{NOT_ASCII}]")
_NOT_ESCAPED_BY_JSON = re.compile(f"[{NOT_ASCII}]")
_FORMULA_STARTS = (
    *("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"),
    *("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}"),
)


def visible(text: str, *, one_line: bool = True) -> str:
    r"""Return a text with its control characters written out, ``\x1b`` say.

    Args:
        text: Any text.
        one_line: Whether line ends and tabs are written out, too.
    """
    return (MISLEADING if one_line else _CONTROLS).sub(_written_out, text)


def csv_cell(text: str, *, one_line: bool = False) -> str:
    """Return a text as a spreadsheet and a terminal may be given it.

    Args:
        text: Any text; what would begin a formula, behind blanks and line ends, too, gets an apostrophe before it, and
            is shown as text.
        one_line: Whether line ends are written out, too, as a terminal needs to show one row a line.
    """
    shown = visible(text.replace("\t", "\\x09"), one_line=one_line)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA_STARTS) else shown


def json_text(text: str) -> str:
    """Return JSON with what a terminal might obey as escapes of JSON: it means the same.

    Args:
        text: JSON, in which line ends and the like in strings are escapes already.
    """
    return _NOT_ESCAPED_BY_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
