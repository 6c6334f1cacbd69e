"""The text form of a masked value.

A token is Tink's ciphertext (the byte 0x01, the key id in 4 bytes, big-endian, then RFC 5297's synthetic IV of 16
bytes and the encrypted value) as base64url without padding (RFC 4648, section 5). So any Tink library can read it, and
it is safe in a URL, a CSV file and a file name.

Source: https://developers.google.com/tink/wire-format
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterator

from maskline.errors import TokenError

PREFIX_LENGTH = 5
IV_LENGTH = 16
_HEXADECIMAL = re.compile(r"([0-9A-Fa-f]{2})+")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encode_token(ciphertext: bytes) -> str:
    """Return the token of a ciphertext."""
    return binascii.b2a_base64(ciphertext, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def decode_token(token: str) -> bytes:
    """Return the ciphertext of a token.

    Raises:
        TokenError: It is not a token as `encode_token` writes it, so it was cut off or altered.
    """
    try:
        ciphertext = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError("is not a token (base64url without padding)") from None
    if len(ciphertext) < PREFIX_LENGTH + IV_LENGTH or ciphertext[0] != 1 or encode_token(ciphertext) != token:
        raise TokenError("is not a whole token; was it cut off or altered?")
    return ciphertext


def plain_ciphertexts(text: str) -> Iterator[bytes]:
    """Yield what the text of a plain AES-SIV ciphertext, made elsewhere, may stand for.

    Args:
        text: Base64 of either alphabet, padded or not, or hexadecimal digits.
    """
    if len(text) >= 2 * IV_LENGTH and _HEXADECIMAL.fullmatch(text):
        yield bytes.fromhex(text)
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    with contextlib.suppress(binascii.Error, ValueError):
        yield base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)


def decode_text(value: bytes) -> str:
    """Return the text that was masked.

    Raises:
        TokenError: The bytes are not text in UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise TokenError("holds bytes that are no text in UTF-8; whoever made it masked something else") from None


def plain_texts(text: str) -> list[str]:
    """Return each way in which others write a ciphertext that `encode_token` wrote; `plain_ciphertexts` reads them.

    Args:
        text: Base64url without padding.
    """
    standard = text.replace("-", "+").replace("_", "/")
    padding = "=" * (-len(text) % 4)
    hexadecimal = base64.b64decode(standard + padding).hex()
    written = (standard + padding, text + padding, standard, text, hexadecimal, hexadecimal.upper())
    return list(dict.fromkeys(written))


def token_key_id(ciphertext: bytes) -> int:
    """Return the id of the key that made a ciphertext (an unsigned 32-bit number)."""
    return int.from_bytes(ciphertext[1:PREFIX_LENGTH], "big")


def token_length(clear_bytes: int) -> int:
    """Return how many characters the token of a value takes.

    Args:
        clear_bytes: The length of the value in UTF-8, in bytes.
    """
    return -(-(PREFIX_LENGTH + IV_LENGTH + clear_bytes) * 4 // 3)


def longest_clear_value(token_characters: int) -> int:
    """Return how many bytes of UTF-8 a value may have for its token to fit.

    Args:
        token_characters: The width of the token's column, in characters.
    """
    return token_characters * 3 // 4 - PREFIX_LENGTH - IV_LENGTH
