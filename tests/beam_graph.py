"""Reading a job graph whole, pickled DoFns included."""

from __future__ import annotations

import base64
import binascii
import bz2
import re
import zlib

import apache_beam as beam

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")


def graph_bytes(pipeline: beam.Pipeline) -> bytes:
    """Return the job graph as it is submitted, followed by all that is packed within it (base64 of bz2 or zlib)."""
    return unpacked(pipeline.to_runner_api().SerializeToString())


def unpacked(data: bytes) -> bytes:
    """Return data, followed by all that is packed within it (base64 of bz2 or zlib)."""
    inner = [unpacked(content) for packed in _BASE64.findall(data) for content in _decompressed(packed)]
    return b"\n".join([data, *inner])


def _decompressed(packed: bytes) -> list[bytes]:
    # A neighboring byte of the graph may look like the first of the text.
    for start in range(4):
        for decompress in (bz2.decompress, zlib.decompress):
            try:
                return [decompress(base64.b64decode(packed[start:] + b"=" * (-len(packed[start:]) % 4)))]
            except (OSError, ValueError, zlib.error, binascii.Error):
                continue
    return []
