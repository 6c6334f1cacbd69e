"""What is packed comes out whole and within a bound, or not at all."""

from __future__ import annotations

import base64
import contextlib
import gzip
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError
from maskline.streams.message_format import Packing
from maskline.streams.unpacking import text_of, unpack

MEBIBYTE = 2**20
PACK: dict[Packing, Callable[[bytes], bytes]] = {
    Packing.BASE64: base64.b64encode,
    Packing.GZIP: gzip.compress,
    Packing.ZSTD: zstandard.compress,
}
ZSTD_OF_UNKNOWN_LENGTH = zstandard.ZstdCompressor(write_content_size=False).compress


def refusal_of(packed: str | bytes, *packings: Packing, max_bytes: int = MEBIBYTE) -> tuple[Reason, str]:
    """Return why something is not unpacked."""
    with pytest.raises(InvalidValueError) as refusal:
        unpack(packed, packings, max_bytes)
    return refusal.value.reason, refusal.value.detail


@given(st.binary(max_size=3000), st.lists(st.sampled_from(list(PACK)), max_size=3))
def test_what_was_packed_comes_out(content: bytes, packings: list[Packing]) -> None:
    packed = content
    for packing in reversed(packings):
        packed = PACK[packing](packed)

    assert unpack(packed, packings, MEBIBYTE) == content


@pytest.mark.parametrize("text", ["+/8=", "-_8=", "-_8", " +/\r\n8=\n"])
def test_base64_comes_in_either_alphabet_padded_or_not_and_in_lines(text: str) -> None:
    assert unpack(text, [Packing.BASE64], MEBIBYTE) == b"\xfb\xff"


def test_several_members_and_frames_are_one_text() -> None:
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b"), [Packing.GZIP], MEBIBYTE) == b"ab"
    assert unpack(zstandard.compress(b"a") + ZSTD_OF_UNKNOWN_LENGTH(b"b"), [Packing.ZSTD], MEBIBYTE) == b"ab"


@pytest.mark.parametrize(
    ("packed", "packing", "detail"),
    [
        ("ha!lo", Packing.BASE64, "is not base64"),
        ("aaaaa", Packing.BASE64, "is not base64"),
        ("a=aa", Packing.BASE64, "is not base64"),
        ("é", Packing.BASE64, "is not base64"),
        ("\ud800", Packing.BASE64, "is not base64"),
        (b"", Packing.GZIP, "is gzip that is cut off"),
        (b"hello", Packing.GZIP, "is not gzip, or damaged"),
        (gzip.compress(b"hello", mtime=0)[:-1], Packing.GZIP, "is gzip that is cut off"),
        (gzip.compress(b"hello", mtime=0) + b"more", Packing.GZIP, "is not gzip, or damaged"),
        (gzip.compress(b"hello", mtime=0)[:-8] + b"12345678", Packing.GZIP, "is not gzip, or damaged"),
        (b"", Packing.ZSTD, "is zstd that is cut off"),
        (b"hello", Packing.ZSTD, "is not zstd, or damaged"),
        (zstandard.compress(b"hello" * 99)[:-1], Packing.ZSTD, "is zstd that is cut off"),
        (ZSTD_OF_UNKNOWN_LENGTH(b"hello" * 99)[:-3], Packing.ZSTD, "is zstd that is cut off"),
        (zstandard.compress(b"hello") + b"more", Packing.ZSTD, "is not zstd, or damaged"),
    ],
)
def test_half_of_it_or_something_else_is_refused(packed: str | bytes, packing: Packing, detail: str) -> None:
    assert refusal_of(packed, packing) == (Reason.NOT_UNPACKED, detail)


@pytest.mark.parametrize("packing", [Packing.GZIP, Packing.ZSTD])
def test_a_text_just_as_long_as_the_bound_is_taken_and_a_longer_one_is_not(packing: Packing) -> None:
    fits, exceeds = (PACK[packing](b"x" * length) for length in (1000, 1001))

    assert unpack(fits, [packing], 1000) == b"x" * 1000
    assert refusal_of(exceeds, packing, max_bytes=1000) == (
        Reason.TOO_LARGE,
        f"{packing} unpacks to more than 1,000 bytes",
    )


def _zstd_bomb() -> bytes:
    compressor = zstandard.ZstdCompressor(level=19).compressobj(size=256 * MEBIBYTE)
    pieces = [compressor.compress(bytes(MEBIBYTE)) for _ in range(256)]
    return b"".join([*pieces, compressor.flush()])


def _gzip_bomb() -> bytes:
    return gzip.compress(bytes(128 * MEBIBYTE)) * 2


@pytest.mark.parametrize(("packing", "bomb"), [(Packing.GZIP, _gzip_bomb), (Packing.ZSTD, _zstd_bomb)])
def test_a_bomb_of_256_mebibytes_never_takes_more_than_the_bound_and_its_copy(
    packing: Packing, bomb: Callable[[], bytes]
) -> None:
    packed = bomb()
    assert len(packed) < MEBIBYTE

    tracemalloc.start()
    assert refusal_of(packed, packing, max_bytes=4 * MEBIBYTE)[0] is Reason.TOO_LARGE
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most_bytes < 16 * MEBIBYTE


def test_a_frame_that_wants_a_window_larger_than_the_bound_is_refused() -> None:
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    ).compressobj()
    packed = wide.compress(bytes(200_000_000)) + wide.flush()

    assert refusal_of(packed, Packing.ZSTD)[0] is Reason.NOT_UNPACKED


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.lists(st.sampled_from(Packing), min_size=1, max_size=3))
def test_anything_is_unpacked_or_refused(content: bytes, packings: list[Packing]) -> None:
    with contextlib.suppress(InvalidValueError):
        assert len(unpack(content, packings, 1000)) <= 1000


def test_what_is_not_utf8_is_no_text() -> None:
    with pytest.raises(InvalidValueError, match="not text in UTF-8"):
        text_of(b"\xff")
