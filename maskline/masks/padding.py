"""``pad = 16``: values padded to a multiple of so many bytes, so that a token tells its value's length only so far.

A byte 0x80 and then zeros are put behind the value, one byte at least (ISO/IEC 7816-4). So it can be taken off again,
and equal values stay equal.
"""

from __future__ import annotations

from maskline.errors import TokenError

MAX_PAD = 4096


def padded_length(length: int, pad: int | None) -> int:
    """Return the length of a value with its padding, in bytes.

    Args:
        length: That of the value.
        pad: The number of bytes to a multiple of which it is padded, or None where it is not.
    """
    return length if pad is None else (length // pad + 1) * pad


def add_padding(value: bytes, pad: int | None) -> bytes:
    """Return a value with its padding.

    Args:
        value: The value.
        pad: As for `padded_length`.
    """
    return value if pad is None else (value + b"\x80").ljust(padded_length(len(value), pad), b"\0")


def remove_padding(padded: bytes, pad: int | None) -> bytes:
    """Return a value without its padding.

    Args:
        padded: What `add_padding` returned.
        pad: As for `padded_length`.

    Raises:
        TokenError: It has none.
    """
    if pad is None:
        return padded
    value, mark, zeros = padded.rpartition(b"\x80")
    if not mark or zeros.strip(b"\0") or len(padded) % pad:
        raise TokenError(f"holds a value without padding to {pad} bytes; was it masked before the column was padded?")
    return value
