"""The keys that encrypt keysets, wherever they are: of AWS KMS, or of Vault's transit engine.

Vault's library comes by an extra of its own, and is imported where such a key is named.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.extras import naming_extra
from maskline.keys.kms import KmsKey, aws_kms_key, check_key_arn

AWS, VAULT = "aws-kms", "vault-transit"
KEY_FORMS = {
    AWS: "KEY_ARN",
    VAULT: "MOUNT/KEY",
}
"""How the key is named behind each scheme."""


def check_key(scheme: str, key: str) -> str:
    """Check how a key is named, and return what `open_kms_key` takes.

    Args:
        scheme: One of `KEY_FORMS`.
        key: What stands behind ``scheme://``.

    Raises:
        ArgumentError: It is no name of a key.
        MissingExtraError: The library that uses it is not installed.
    """
    if scheme == AWS:
        return check_key_arn(key)
    _KEYS[scheme](key)
    return f"{scheme}://{key}"


def open_kms_key(key: str) -> KmsKey:
    """Give access to a key.

    Args:
        key: The ARN of a key of AWS KMS, or the URI of another.

    Raises:
        ArgumentError: It is no name of a key.
        KeysetError: A configuration cannot be read.
        MissingExtraError: The library that uses it is not installed.
    """
    scheme, separator, location = key.partition("://")
    return _KEYS[scheme](location) if separator and scheme in _KEYS else aws_kms_key(key)


def _vault(location: str) -> KmsKey:
    with naming_extra(f"a keyset of {VAULT}://"):
        from maskline.keys.vault import VaultTransitKey
    return VaultTransitKey(location)


_KEYS: dict[str, Callable[[str], KmsKey]] = {VAULT: _vault}
