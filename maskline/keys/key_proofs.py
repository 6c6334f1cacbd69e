"""What a key makes of one text: equal for equal keys, and otherwise never. An id, which anybody can write, proves none.

It tells nothing of the key, as no token does.
"""

from __future__ import annotations

from maskline.keys.hash_keyset import HashKeyset
from maskline.keys.keyset import Keyset

_TEXT = b"maskline: which key"
_HASH_BYTES = 16


def key_proofs(keyset: Keyset) -> dict[int, bytes]:
    """Return the proof of each enabled key of a keyset, by the key's id.

    Args:
        keyset: The keyset.
    """
    return {alone.primary_key_id: alone.encrypt(b"", _TEXT) for alone in keyset.each_alone()}


def hash_key_proof(keyset: HashKeyset) -> bytes:
    """Return the proof of the key of a keyset of hashes.

    Args:
        keyset: The keyset.
    """
    return keyset.compute(_TEXT, _HASH_BYTES)


def have_same_keys(keyset: Keyset, other: Keyset) -> bool:
    """Return whether those keys of two keysets that have one id are one key.

    Args:
        keyset: A keyset.
        other: Another.
    """
    proofs, others = key_proofs(keyset), key_proofs(other)
    return all(proofs[key_id] == others[key_id] for key_id in proofs.keys() & others.keys())
