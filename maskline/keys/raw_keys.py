"""Keys as other programs write them: 64 bytes, or a text of them."""

from __future__ import annotations

import base64
import binascii

from maskline.errors import ArgumentError
from maskline.keys.keyset_editor import KEY_BYTES


def parse_raw_key(content: bytes) -> bytes:
    """Return the 64 bytes of a key.

    Args:
        content: The bytes themselves, or their hexadecimal digits or base64 (either alphabet), with white space around
            and between.

    Raises:
        ArgumentError: It is none of these, or 64 characters of text, which is a shorter key that was written out. The
            error does not repeat it.
    """
    if len(content) == KEY_BYTES and not _is_text(content):
        return content
    text = b"".join(content.split())
    for decode in (binascii.unhexlify, _decode_base64):
        try:
            key = decode(text)
        except (binascii.Error, ValueError):
            continue
        if len(key) == KEY_BYTES:
            return key
    raise ArgumentError(f"key: give {KEY_BYTES} bytes, or their {2 * KEY_BYTES} hexadecimal digits, or their base64")


def _is_text(content: bytes) -> bool:
    return content.isascii() and content.decode("ascii").isprintable()


def _decode_base64(text: bytes) -> bytes:
    padded = text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
    return base64.b64decode(padded.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
