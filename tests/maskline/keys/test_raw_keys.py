"""A key is read as other programs write it, and what is not one is never taken for one, nor shown."""

from __future__ import annotations

import base64
import traceback

import pytest

from maskline.errors import UsageError
from maskline.keys.raw_keys import parse_raw_key

KEY = bytes(range(0xC0, 0x100))
HEXADECIMAL = KEY.hex().encode()
BASE64 = (
    b"wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w=="  # with both + and /
)
BASE64URL = b"wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t_g4eLj5OXm5-jp6uvs7e7v8PHy8_T19vf4-fr7_P3-_w"


@pytest.mark.parametrize(
    "content",
    [
        KEY,
        HEXADECIMAL,
        HEXADECIMAL.upper(),
        BASE64,
        BASE64.rstrip(b"="),
        BASE64URL,
        BASE64URL + b"==",
        b" \t" + HEXADECIMAL + b"\r\n",
        BASE64 + b"\n",
        BASE64[:76] + b"\n" + BASE64[76:] + b"\n",
        HEXADECIMAL[:60] + b"\n" + HEXADECIMAL[60:120] + b"\n" + HEXADECIMAL[120:] + b"\n",
    ],
    ids=[
        "bytes",
        "hexadecimal",
        "capital hexadecimal",
        "base64",
        "base64 without padding",
        "base64url",
        "base64url with padding",
        "hexadecimal in a line",
        "base64 in a line",
        "base64 in lines, as base64 writes it",
        "hexadecimal in lines, as xxd writes it",
    ],
)
def test_a_key_is_read_in_every_form(content: bytes) -> None:
    assert parse_raw_key(content) == KEY


@pytest.mark.parametrize("key", [b"\0" * 64, b"\n" + KEY[:-1], KEY[:-1] + b" ", b"0" * 63 + b"\xff"])
def test_64_bytes_are_the_key_whatever_is_in_them(key: bytes) -> None:
    assert parse_raw_key(key) == key


@pytest.mark.parametrize(
    "content",
    [
        b"",
        KEY[:63],
        KEY + b"\0",
        KEY[:32].hex().encode(),
        base64.b64encode(KEY[:48]),
        base64.b64encode(KEY[:32]),
        HEXADECIMAL[:-1],
        HEXADECIMAL + b"00",
        HEXADECIMAL[:-1] + b"g",
        BASE64[:-4],
        BASE64 + b"AAAA",
        BASE64[:40] + b"!" + BASE64[41:],
        b"0x" + HEXADECIMAL,
        HEXADECIMAL.decode().encode("utf-16"),
    ],
    ids=[
        "nothing",
        "63 bytes",
        "65 bytes",
        "64 digits of 32 bytes",
        "64 characters of 48 bytes",
        "44 characters of 32 bytes",
        "a digit too few",
        "digits too many",
        "a letter that is no digit",
        "base64 cut off",
        "base64 too long",
        "no base64",
        "a prefix",
        "UTF-16",
    ],
)
def test_anything_else_is_refused_in_one_line_that_does_not_repeat_it(content: bytes) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_raw_key(content)

    assert str(refusal.value) == "key: give 64 bytes, or their 128 hexadecimal digits, or their base64"
    shown = "".join(traceback.format_exception(refusal.value))
    assert content == b"" or content[:16].decode("latin-1") not in shown
    assert refusal.value.__context__ is None
