"""The keys that encrypt keysets, wherever they are: of AWS KMS, Google Cloud KMS, Azure Key Vault, or Vault's transit.

The libraries of all but the first come by extras of their own, and are imported where such a key is named.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.extras import naming_extra
from maskline.keys.kms import KmsKey, aws_kms_key, check_key_arn

AWS, AZURE, GOOGLE, VAULT = "aws-kms", "azure-keyvault-key", "gcp-kms", "vault-transit"
KEY_FORMS = {
    AWS: "KEY_ARN",
    AZURE: "HOST/KEY",
    GOOGLE: "projects/P/locations/L/keyRings/R/cryptoKeys/K",
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


def _azure(location: str) -> KmsKey:
    with naming_extra(f"a keyset of {AZURE}://", "azure"):
        from maskline.keys.azure_key_vault.keys import AzureKeyVaultKey
    return AzureKeyVaultKey(location)


def _google(location: str) -> KmsKey:
    with naming_extra(f"a keyset of {GOOGLE}://", "google"):
        from maskline.keys.google_cloud.kms import GoogleKmsKey
    return GoogleKmsKey(location)


def _vault(location: str) -> KmsKey:
    with naming_extra(f"a keyset of {VAULT}://", "vault"):
        from maskline.keys.vault import VaultTransitKey
    return VaultTransitKey(location)


_KEYS: dict[str, Callable[[str], KmsKey]] = {AZURE: _azure, GOOGLE: _google, VAULT: _vault}
