"""Writing TOML that a person goes on with: strings, and a comment behind a key.

Source: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def string(text: str) -> str:
    """Return a text as TOML writes it, in one line.

    Args:
        text: Unicode text, without surrogates.
    """
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def key(text: str) -> str:
    """Return a key, in quotation marks where it needs them."""
    return text if _BARE_KEY.fullmatch(text) else string(text)


def value(plain: object) -> str:
    """Return a text, an integer, a truth value, or a list of them."""
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, int):
        return str(plain)
    if isinstance(plain, list | tuple):
        return f"[{', '.join(map(value, plain))}]"
    return string(str(plain))


def lines(entries: Sequence[tuple[str, object]], comments: dict[str, str]) -> list[str]:
    """Return a line for each key, with its comment.

    Args:
        entries: Keys and their values.
        comments: Comments by key, each one line.
    """
    return [
        f"{key(name)} = {value(plain)}" + (f"  # {comments[name]}" if name in comments else "")
        for name, plain in entries
    ]
