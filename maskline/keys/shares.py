"""Shares of a keyset for the day when nobody can reach it any more: a break-glass copy that no one person can open.

The keyset is encrypted under a random secret of 16 bytes, and the secret is split by Shamir's scheme: any `threshold`
shares give it back, and fewer say nothing at all about it. The encrypted keyset, the *backup*, may lie anywhere; each
share goes to another person.

A share is one line of text::

    MASKLINE-SHARE-2-OF-5-ANY-3-LBFG6KO7II7MXCD7-XASK7XYMIYVQ64MEHE4WZWQHHU-YHDUVWA

that is its number, how many there are, how many it takes, the fingerprint of the backup, the share of 16 bytes in
base32 (RFC 4648), and a checksum over all of it. Shares and backups of different splits have different fingerprints.

The secret becomes an AES-256-GCM key by HKDF-SHA256 (RFC 5869), and Tink encrypts the keyset with it. The scheme, the
derivation and the cipher are pycryptodome's and Tink's; here are only the texts.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import secrets
from collections import Counter
from collections.abc import Sequence

import msgspec
import tink
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF
from Crypto.Protocol.SecretSharing import Shamir
from tink import aead, json_proto_keyset_format, proto_keyset_format, secret_key_access
from tink.proto import aes_gcm_pb2, tink_pb2

from maskline.errors import ArgumentError, KeysetError
from maskline.records import Redacted

MAX_SHARES = 255
SECRET_BYTES = 16
_FINGERPRINT_BYTES = 10
_CHECKSUM_BYTES = 4
_MAX_TRIALS = 5_000
"""How many choices of shares are tried, some seconds long, to find one that opens the backup."""

_CONTEXT = b"maskline key shares 1"
_TEXT = re.compile(
    r"(?P<signed>MASKLINE-SHARE-(?P<number>\d{1,3})-OF-(?P<shares>\d{1,3})-ANY-(?P<threshold>\d{1,3})"
    r"-(?P<fingerprint>[A-Z2-7]{16})-(?P<secret>[A-Z2-7]{26}))-(?P<checksum>[A-Z2-7]{7})"
)

aead.register()


class Share(Redacted, frozen=True):
    """One share of the secret that opens a backup.

    Attributes:
        number: Its number, from 1.
        shares: How many there are.
        threshold: How many it takes.
        fingerprint: The fingerprint of the backup.
        secret: The share itself, 16 bytes.
    """

    number: int
    shares: int
    threshold: int
    fingerprint: str
    secret: bytes

    def __repr__(self) -> str:
        """Name the share, and nothing of what it holds."""
        return f"Share({self.number} of {self.shares}, any {self.threshold}, {self.fingerprint})"

    @property
    def text(self) -> str:
        """The share as a line of text."""
        signed = (
            f"MASKLINE-SHARE-{self.number}-OF-{self.shares}-ANY-{self.threshold}-{self.fingerprint}"
            f"-{_base32(self.secret)}"
        )
        return f"{signed}-{_checksum(signed)}"

    @classmethod
    def parse(cls, text: str, name: str) -> Share:
        """Read a share; capitals and white space do not matter.

        Args:
            text: The text.
            name: What to call it in an error, its file say.

        Raises:
            KeysetError: It is not a share, or was damaged or forged. The error does not repeat its secret.
        """
        match = _TEXT.fullmatch("".join(text.split()).upper())
        if match is None:
            raise KeysetError(f"share {name}: is not a whole share; it is one line that begins with MASKLINE-SHARE-")
        if _checksum(match["signed"]) != match["checksum"]:
            raise KeysetError(f"share {name}: was damaged, for its checksum does not fit; compare it with the original")
        number, shares, threshold = (int(match[part]) for part in ("number", "shares", "threshold"))
        if not (1 <= number <= shares and 2 <= threshold <= shares <= MAX_SHARES):
            raise KeysetError(f"share {name}: was forged; no split makes share {number} of {shares}, any {threshold}")
        return cls(number, shares, threshold, match["fingerprint"], base64.b32decode(match["secret"] + "======"))


class Split(msgspec.Struct, frozen=True):
    """What a split makes.

    Attributes:
        backup: The keyset, encrypted, in Tink's JSON.
        shares: The shares of the secret that opens it.
    """

    backup: bytes
    shares: tuple[Share, ...]


def split_keyset(handle: tink.KeysetHandle, shares: int, threshold: int) -> Split:
    """Encrypt a keyset under a new secret, and split the secret.

    Args:
        handle: The keyset.
        shares: How many shares to make, 2 to 255.
        threshold: How many it shall take, 2 to `shares`.

    Raises:
        ArgumentError: A number is out of its range.
    """
    if not 2 <= threshold <= shares <= MAX_SHARES:
        raise ArgumentError(
            f"shares is {shares} and threshold {threshold}; it takes 2 <= threshold <= shares <= {MAX_SHARES}"
        )
    secret = secrets.token_bytes(SECRET_BYTES)
    backup: bytes = json_proto_keyset_format.serialize_encrypted(handle, _cipher(secret), b"").encode()
    fingerprint = backup_fingerprint(backup)
    parts = Shamir.split(threshold, shares, secret)
    return Split(backup, tuple(Share(number, shares, threshold, fingerprint, part) for number, part in parts))


def combine_shares(backup: bytes, shares: Sequence[Share]) -> tink.KeysetHandle:
    """Recover a keyset from its backup and enough shares.

    Args:
        backup: The encrypted keyset that the split made.
        shares: At least as many different shares as the threshold says; those beyond it are checked, too.

    Raises:
        KeysetError: There are too few, one is there twice, they are of different splits or of another backup, one was
            forged, which is named where there are more than it takes, or they do not open it.
    """
    _check_shares(shares, backup_fingerprint(backup))
    threshold = shares[0].threshold
    # The backup is encrypted so that nothing but the right secret opens it: shares that do are proved genuine.
    for genuine in itertools.islice(itertools.combinations(shares, threshold), _MAX_TRIALS):
        secret = _combined(genuine)
        handle = _opened(backup, secret)
        if handle is not None:
            _check_genuine(shares, genuine, secret)
            return handle
    is_exact = len(shares) == threshold < shares[0].shares
    raise KeysetError(
        "shares: do not open this backup; one of them was forged, or the backup damaged"
        + ("; with a share more it can be told which" if is_exact else "")
    )


def _combined(shares: Sequence[Share]) -> bytes:
    return bytes(Shamir.combine([(share.number, share.secret) for share in shares]))


def _opened(backup: bytes, secret: bytes) -> tink.KeysetHandle | None:
    try:
        return json_proto_keyset_format.parse_encrypted(backup.decode(), _cipher(secret), b"")
    except (tink.TinkError, UnicodeDecodeError):
        return None


def _check_genuine(shares: Sequence[Share], genuine: Sequence[Share], secret: bytes) -> None:
    forged = [
        str(share.number) for share in shares if share not in genuine and _combined([*genuine[1:], share]) != secret
    ]
    if forged:
        named = f"share {forged[0]}: was" if len(forged) == 1 else f"shares {', '.join(forged)}: were"
        raise KeysetError(
            f"{named} forged; the others open the backup: leave {'it' if len(forged) == 1 else 'them'} out, and find "
            "out who had a hand in it"
        )


def backup_fingerprint(backup: bytes) -> str:
    """Return 16 characters that tell backups, and with them splits, apart."""
    return _base32(hashlib.sha256(backup).digest()[:_FINGERPRINT_BYTES])


def _check_shares(shares: Sequence[Share], fingerprint: str) -> None:
    if not shares:
        raise KeysetError("shares: none given")
    foreign = [share for share in shares if share.fingerprint != shares[0].fingerprint]
    if foreign:
        raise KeysetError(
            f"shares {shares[0].number} and {foreign[0].number}: are of different splits, {shares[0].fingerprint} and "
            f"{foreign[0].fingerprint}; only shares of one split fit together"
        )
    (said, most), *others = Counter((share.shares, share.threshold) for share in shares).most_common()
    if others:
        forged = [str(share.number) for share in shares if (share.shares, share.threshold) != said]
        which = f"those of {', '.join(forged)} differ from the others'" if most > len(forged) else "one was forged"
        raise KeysetError(f"shares: say different things of one split; {which}")
    if shares[0].fingerprint != fingerprint:
        raise KeysetError(
            f"backup: has the fingerprint {fingerprint}, and the shares are of {shares[0].fingerprint}; find the one "
            "that was made with them"
        )
    numbers = [share.number for share in shares]
    repeated = {number for number in numbers if numbers.count(number) > 1}
    if repeated:
        raise KeysetError(f"share {min(repeated)}: is given twice")
    if len(shares) < shares[0].threshold:
        raise KeysetError(f"shares: it takes {shares[0].threshold} of {shares[0].shares}, and {len(shares)} were given")


def _cipher(secret: bytes) -> aead.Aead:
    """Return Tink's AES-256-GCM under the key that HKDF derives from a secret."""
    derived = HKDF(secret, 32, salt=b"", hashmod=SHA256, context=_CONTEXT)
    keyset = tink_pb2.Keyset(primary_key_id=1)
    key = keyset.key.add(key_id=1, status=tink_pb2.ENABLED, output_prefix_type=tink_pb2.RAW)
    key.key_data.type_url = "type.googleapis.com/google.crypto.tink.AesGcmKey"
    key.key_data.value = aes_gcm_pb2.AesGcmKey(key_value=derived).SerializeToString()
    key.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
    handle = proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(aead.Aead)


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


def _checksum(signed: str) -> str:
    return _base32(hashlib.sha256(signed.encode()).digest()[:_CHECKSUM_BYTES])
