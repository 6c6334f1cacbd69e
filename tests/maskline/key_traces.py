"""Traces of a key: the forms in which its bytes could stand in a file, a log line or a job graph."""

from __future__ import annotations

import base64
import json
from pathlib import Path

PIECE = 24
"""Long enough not to be found by chance, short enough to find a key that was cut in two."""


def traces(key: bytes) -> set[bytes]:
    """Return what to search for: two pieces of the key, raw, as digits, as Python and JSON write bytes, and as base64.

    Base64 of a longer text holds that of a piece in one of three alignments, but for its first and last characters.
    """
    found: set[bytes] = set()
    for piece in (key[4 : 4 + PIECE], key[-4 - PIECE : -4]):
        found |= {piece, piece.hex().encode(), piece.hex().upper().encode()}
        found |= {repr(piece)[2:-1].encode(), json.dumps(piece.decode("latin-1"))[1:-1].encode()}
        for shift in range(3):
            inner = base64.b64encode(bytes(shift) + piece)[4:-4]
            found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def keys_of(keyset_json: bytes) -> list[bytes]:
    """Return the keys of a keyset in clear."""
    return [base64.b64decode(key["keyData"]["value"])[2:] for key in json.loads(keyset_json)["key"]]


def files_with(directory: Path, sought: set[bytes]) -> list[Path]:
    """Return the files below a directory that hold any of the traces."""
    return [
        path
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink() and holds(path.read_bytes(), sought)
    ]


def holds(content: bytes, sought: set[bytes]) -> bool:
    """Say whether any of the traces stands in it."""
    return any(trace in content for trace in sought)
