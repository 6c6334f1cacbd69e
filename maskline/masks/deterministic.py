"""Masking values into tokens, and turning tokens back into values.

*Guarantees*: equal values of one domain give equal tokens under one key; a token of one domain cannot be unmasked as,
or matched with, a token of another; an altered token is refused. *What it does not hide*: that two values are equal,
how often a value occurs, and how long it is. docs/masking.md says what follows from that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import tink

from maskline.errors import TokenError
from maskline.keys import Keyset
from maskline.masks.padding import add_padding, remove_padding
from maskline.masks.salts import SALT_BYTES, new_salt
from maskline.masks.tokens import (
    IV_LENGTH,
    PREFIX_LENGTH,
    decode_text,
    decode_token,
    encode_token,
    plain_ciphertexts,
    token_key_id,
)

FINGERPRINT_DOMAIN = "maskline.fingerprint"

REJECTED_BODY_DOMAIN = "rejected_messages.body"
"""What the associated data of sealed bodies begins with: the stream and the MessageId follow, each behind a NUL."""


class Masker:
    """Masks and unmasks single values.

    Args:
        keyset: Masks under its primary key, unmasks under any of its keys.
    """

    def __init__(self, keyset: Keyset) -> None:
        self._keyset = keyset

    def mask(self, value: str, domain: str) -> str:
        """Return the token of a value.

        Args:
            value: Any text; the empty string is a value like any other.
            domain: The associated data, ``stream.column`` by default (see `maskline.streams.definition`).
        """
        return self.encrypt(value.encode(), domain)

    def encrypt(self, value: bytes, domain: str) -> str:
        """Return the token of a value's bytes, as the masks make them of it.

        Args:
            value: Any bytes.
            domain: The associated data.
        """
        return self.in_domain(domain)(value)

    def in_domain(self, domain: str) -> Callable[[bytes], str]:
        """Return what makes the tokens of one domain, as `encrypt` does, for who has many values to mask.

        Args:
            domain: The associated data.
        """
        encrypt, associated_data = self._keyset.encrypt, domain.encode()
        return lambda value: encode_token(encrypt(value, associated_data))

    def unmask(self, token: str, domain: str) -> str:
        """Return the value of a token.

        Where the keyset holds raw keys, it may also be plain AES-SIV that was made elsewhere, in base64 or hexadecimal.

        Args:
            token: What `mask` returned.
            domain: The domain it was masked in.

        Raises:
            TokenError: It is cut off, altered, of another domain, or of a key that the keyset does not hold. A wrong
                value is never returned.
        """
        return decode_text(self.decrypt(token, domain))

    def decrypt(self, token: str, domain: str) -> bytes:
        """Return the bytes of a token's value, as `encrypt` was given them.

        Args:
            token: The token, or plain AES-SIV as for `unmask`.
            domain: The domain it was masked in.

        Raises:
            TokenError: As `unmask`, but for bytes that are no text.
        """
        try:
            return self._decrypted_token(token, domain)
        except TokenError:
            if self._keyset.has_raw_keys:
                for ciphertext in plain_ciphertexts(token):
                    with contextlib.suppress(tink.TinkError):
                        return self._keyset.decrypt(ciphertext, domain.encode())
            raise

    def _decrypted_token(self, token: str, domain: str) -> bytes:
        ciphertext = decode_token(token)
        key_id = token_key_id(ciphertext)
        if key_id not in self._keyset.key_ids:
            raise TokenError(f"was made with key {key_id}, and this keyset {self._keyset.unavailable_reason(key_id)}")
        try:
            return self._keyset.decrypt(ciphertext, domain.encode())
        except tink.TinkError:
            raise TokenError(f"was altered, or is not of the domain {domain}") from None

    def remask(self, token: str, domain: str) -> str:
        """Return the token of the same value, whatever its bytes, under the primary key.

        Args:
            token: A token of any of the keyset's keys.
            domain: The domain it was masked in.

        Raises:
            TokenError: As `unmask`.
        """
        return encode_token(self._keyset.encrypt(self.decrypt(token, domain), domain.encode()))

    def fingerprint(self, value: str) -> str:
        """Return a fingerprint of a value, from which nobody can recover it: a token without its ciphertext.

        Whoever holds the keyset can tell whether it is that of a value they know.

        Args:
            value: Any text.
        """
        ciphertext = self._keyset.encrypt(value.encode(), FINGERPRINT_DOMAIN.encode())
        return encode_token(ciphertext[: PREFIX_LENGTH + IV_LENGTH])

    def seal_body(self, body: str, stream: str, message_id: str) -> bytes:
        """Encrypt the body of a message, whatever is in it, lone surrogates too.

        16 random bytes go before it, so that equal bodies cannot be told equal, and it opens only where it was put.

        Args:
            body: The body.
            stream: The stream under whose name it is kept.
            message_id: The MessageId under which it is kept; empty for a record without one.
        """
        clear = new_salt() + body.encode("utf-8", "surrogatepass")
        return self._keyset.encrypt(clear, _seal(stream, message_id))

    def unseal_body(self, sealed: bytes, stream: str, message_id: str) -> str:
        """Decrypt what `seal_body` encrypted, or an earlier version, which bound a body to nothing.

        Args:
            sealed: The body, encrypted.
            stream: As for `seal_body`.
            message_id: Likewise.

        Raises:
            TokenError: The keyset does not hold its key, it was altered, or it is the body of another message.
        """
        key_id = token_key_id(sealed)
        if key_id not in self._keyset.key_ids:
            raise TokenError(
                f"the body was sealed with key {key_id}, and this keyset {self._keyset.unavailable_reason(key_id)}"
            )
        try:
            clear = self._keyset.decrypt(sealed, _seal(stream, message_id))[SALT_BYTES:]
        except tink.TinkError:
            clear = self._unsealed_as_before(sealed)
        return clear.decode("utf-8", "surrogatepass")

    def _unsealed_as_before(self, sealed: bytes) -> bytes:
        try:
            return self._keyset.decrypt(sealed, REJECTED_BODY_DOMAIN.encode())
        except tink.TinkError:
            raise TokenError("the body was altered, or is that of another message") from None

    def remask_body(self, sealed: bytes, stream: str, message_id: str) -> bytes:
        """Encrypt under the primary key what `seal_body` encrypted under any of the keyset's keys.

        Args:
            sealed: The body, encrypted.
            stream: As for `seal_body`.
            message_id: Likewise.

        Raises:
            TokenError: As `unseal_body`.
        """
        return self.seal_body(self.unseal_body(sealed, stream, message_id), stream, message_id)


def _seal(stream: str, message_id: str) -> bytes:
    """Return the associated data of a body; no domain is one, for none has a NUL character."""
    return f"{REJECTED_BODY_DOMAIN}\0{stream}\0{message_id}".encode()


class DeterministicMask:
    """Masks the values of one domain.

    Args:
        masker: Encrypts and decrypts.
        domain: The associated data.
        pad: To a multiple of how many bytes values are padded; None for not at all.
    """

    def __init__(self, masker: Masker, domain: str, pad: int | None = None) -> None:
        self._masker = masker
        self._encrypt = masker.in_domain(domain)
        self._domain = domain
        self._pad = pad

    def mask(self, value: str) -> str:
        """Return the token of a value."""
        clear = value.encode()
        return self._encrypt(clear if self._pad is None else add_padding(clear, self._pad))

    def unmask(self, token: str) -> str:
        """Return the value of a token.

        Raises:
            TokenError: As `Masker.unmask`, or it was not made by this mask.
        """
        return decode_text(remove_padding(self._masker.decrypt(token, self._domain), self._pad))
