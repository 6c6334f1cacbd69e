"""Unpacking the text of a record: base64, gzip, zstd and JSON strings, each up to a limit.

A few hundred bytes can unpack to gigabytes, so nothing here ever holds more than the bound and one buffer. A text that
is cut off, or has something behind its end, is refused; half a record is none.

Source: https://www.rfc-editor.org/rfc/rfc4648, https://www.rfc-editor.org/rfc/rfc1952,
https://www.rfc-editor.org/rfc/rfc8878
"""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Callable, Sequence

import zstandard

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError, json_name
from maskline.streams.json_text import decode_json
from maskline.streams.message_format import Packing

_COMPRESSIONS = {b"\x1f\x8b": Packing.GZIP, b"\x28\xb5\x2f\xfd": Packing.ZSTD}
"""By their magic numbers."""

_GZIP_WINDOW = 31
_MIN_ZSTD_WINDOW = 1024
_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_BUFFER_BYTES = 65_536


def unpack(packed: str | bytes, packings: Sequence[Packing], max_bytes: int) -> str | bytes:
    """Undo packings, one after the other.

    Args:
        packed: What was packed.
        packings: How, in the order in which it is undone.
        max_bytes: The most that any of them may unpack to.

    Raises:
        InvalidValueError: It is not packed so, or unpacks to more.
    """
    for packing in packings:
        content = packed.encode("utf-8", "surrogatepass") if isinstance(packed, str) else packed
        packed = _UNPACK[packing](content, max_bytes)
        if len(packed) > max_bytes:
            raise InvalidValueError(Reason.TOO_LARGE, f"{packing} unpacks to more than {max_bytes:,} bytes")
    return packed


def compression_of(content: bytes) -> Packing | None:
    """Return how bytes seem to be compressed, by their magic number, or None.

    Args:
        content: The bytes.
    """
    return next((packing for magic, packing in _COMPRESSIONS.items() if content.startswith(magic)), None)


def text_of(content: str | bytes) -> str:
    """Return what was unpacked as text.

    Raises:
        InvalidValueError: The content is not text in UTF-8.
    """
    if isinstance(content, str):
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InvalidValueError(Reason.NOT_UNPACKED, "what was unpacked is not text in UTF-8") from None


def _base64(content: bytes, _: int) -> bytes:
    """Decode either alphabet, padded or not, in one line or several."""
    compact = b"".join(content.split()).rstrip(b"=").translate(_URL_SAFE_TO_STANDARD)
    try:
        return binascii.a2b_base64(compact + b"=" * (-len(compact) % 4), strict_mode=True)
    except binascii.Error:
        raise InvalidValueError(Reason.NOT_UNPACKED, "is not base64") from None


def _gzip(content: bytes, max_bytes: int) -> bytes:
    unpacked = bytearray()
    rest = content
    try:
        while True:  # a file may have several members, and ends with the last of them
            member = zlib.decompressobj(_GZIP_WINDOW)
            unpacked += member.decompress(rest, max_bytes + 1 - len(unpacked))
            if len(unpacked) > max_bytes or (member.eof and not member.unused_data):
                return bytes(unpacked)
            if not member.eof:
                raise InvalidValueError(Reason.NOT_UNPACKED, "is gzip that is cut off")
            rest = member.unused_data
    except zlib.error:
        raise InvalidValueError(Reason.NOT_UNPACKED, "is not gzip, or damaged") from None


def _zstd(content: bytes, max_bytes: int) -> bytes:
    # A frame may ask for a window of gigabytes, and say any length of its content; neither is believed.
    window = 1 << max(max_bytes, _MIN_ZSTD_WINDOW).bit_length()
    decompressor = zstandard.ZstdDecompressor(max_window_size=window)
    unpacked = bytearray()
    try:
        with decompressor.stream_reader(content, read_across_frames=True) as reader:
            while len(unpacked) <= max_bytes and (piece := reader.read(_BUFFER_BYTES)):
                unpacked += piece
        if len(unpacked) <= max_bytes and not _is_whole(content, decompressor):
            raise InvalidValueError(Reason.NOT_UNPACKED, "is zstd that is cut off")
    except zstandard.ZstdError:
        raise InvalidValueError(Reason.NOT_UNPACKED, "is not zstd, or damaged") from None
    return bytes(unpacked)


def _is_whole(content: bytes, decompressor: zstandard.ZstdDecompressor) -> bool:
    """Return whether the last frame has its end: the reader takes the end of what it reads for that.

    It unpacks once more, which is known to fit by now.
    """
    rest = content
    while rest:
        frame = decompressor.decompressobj()
        frame.decompress(rest)
        if not frame.eof:
            return False
        rest = frame.unused_data
    return bool(content)


def _json(content: bytes, _: int) -> bytes:
    """Return the text of a JSON string, lone surrogates and all: the record's own reader refuses those."""
    value = decode_json(text_of(content))
    if type(value) is not str:
        raise InvalidValueError(Reason.NOT_UNPACKED, f"is {json_name(value)} and no JSON string that holds JSON")
    return value.encode("utf-8", "surrogatepass")


_UNPACK: dict[Packing, Callable[[bytes, int], bytes]] = {
    Packing.BASE64: _base64,
    Packing.GZIP: _gzip,
    Packing.ZSTD: _zstd,
    Packing.JSON: _json,
}
