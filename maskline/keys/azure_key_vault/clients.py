"""Clients of Azure Key Vault, and what a failed call means.

Credentials come from where Azure's library finds them: ``AZURE_TENANT_ID``, ``AZURE_CLIENT_ID`` and
``AZURE_CLIENT_SECRET`` or ``AZURE_CLIENT_CERTIFICATE_PATH``, a workload or managed identity, or ``az login``. The
vault itself names the Azure cloud that it belongs to, so the sovereign ones need no setting. A vault is always talked
to over TLS.

Source: https://learn.microsoft.com/python/api/overview/azure/identity-readme,
https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient

from maskline.errors import KeysetError, KeysetUnavailableError, Remedy
from maskline.logs import silence_wire_logging
from maskline.watchdog import WATCHDOG

LIMITS = {
    "connection_timeout": 5,
    "read_timeout": 10,
    "retry_total": 2,
    "retry_backoff_factor": 0.2,
    "timeout": 30,
}
"""How long a client tries, in seconds; the last one bounds all tries of a call."""

HOST = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]{1,5})?"
"""The host of a vault, ``NAME.vault.azure.net`` say."""

_CODE = re.compile(r"[A-Za-z]{1,64}")
_NOT_ENABLED = re.compile(r"(Key|Secret)(Disabled|Expired|NotYetValid)")
_FIREWALL = "ForbiddenByFirewall"

OpenKeys = Callable[[str], Any]
"""Makes an `azure.keyvault.keys.KeyClient` of the vault at a URL."""

OpenSecrets = Callable[[str], Any]
"""Makes an `azure.keyvault.secrets.SecretClient` of the vault at a URL."""


def open_keys(vault_url: str) -> Any:
    """Make a client of a vault's keys that gives up within a minute.

    Args:
        vault_url: Where the vault is.
    """
    silence_wire_logging()
    return KeyClient(vault_url, DefaultAzureCredential(**LIMITS), **LIMITS)


def open_secrets(vault_url: str) -> Any:
    """Make a client of a vault's secrets that gives up within a minute.

    Args:
        vault_url: Where the vault is.
    """
    silence_wire_logging()
    return SecretClient(vault_url, DefaultAzureCredential(**LIMITS), **LIMITS)


@contextlib.contextmanager
def map_azure_errors(uri: str, permissions: str) -> Iterator[None]:
    """Turn what goes wrong in a block into our errors; Azure's own texts may quote what it was sent.

    Args:
        uri: The URI of the keyset or key.
        permissions: What its calls need.

    Raises:
        KeysetError: Only a person can fix it.
        KeysetUnavailableError: Key Vault did not answer as it should.
    """
    try:
        with WATCHDOG.watching(f"keyset {uri}: an answer of Azure Key Vault"):
            yield
    except ClientAuthenticationError as error:
        # Azure's library does not tell a sign-in service that is out of reach from credentials that it refuses.
        raise KeysetError(
            f"keyset {uri}: no Azure credentials that work ({type(error).__name__}); set AZURE_TENANT_ID, "
            "AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, run az login, or run where a workload or managed identity gives "
            "them"
        ) from None
    except ResourceNotFoundError as error:
        raise KeysetError(f"keyset {uri}: is not there ({_code(error)})", remedy=Remedy.CREATE_KEYSET) from None
    except HttpResponseError as error:
        raise _meaning(error, uri, permissions) from None
    except AzureError as error:
        raise KeysetUnavailableError(
            f"keyset {uri}: Azure Key Vault did not answer as it should ({type(error).__name__}); try again"
        ) from None
    except ValueError:
        # What the vault said of the cloud that it belongs to does not fit its host, or the key's time is over.
        raise KeysetError(
            f"keyset {uri}: is not to be used: the host is no vault of Azure's, or the key is not valid now"
        ) from None


def _meaning(error: Any, uri: str, permissions: str) -> KeysetError | KeysetUnavailableError:
    code = _code(error)
    if error.status_code == 403 and _NOT_ENABLED.fullmatch(code):
        return KeysetError(f"keyset {uri}: it is not enabled, or not valid now ({code}); enable it in the vault")
    if error.status_code == 403 and code == _FIREWALL:
        return KeysetError(f"keyset {uri}: the vault's firewall does not let this machine in ({code})")
    if error.status_code == 403:
        return KeysetError(f"keyset {uri}: Azure Key Vault refuses these credentials ({code}); it takes {permissions}")
    if error.status_code == 409:
        return KeysetError(f"keyset {uri}: was deleted and can still be recovered ({code}); recover or purge it")
    if error.status_code == 400:
        return KeysetError(f"keyset {uri}: Azure Key Vault does not take it ({code})")
    return KeysetUnavailableError(f"keyset {uri}: Azure Key Vault did not answer as it should ({code}); try again")


def _code(error: Any) -> str:
    """Return the innermost name that Azure has for an error, or the HTTP status."""
    code = f"HTTP {error.status_code}"
    answer = getattr(error, "error", None)
    found = [getattr(answer, "code", None), (getattr(answer, "innererror", None) or {}).get("code")]
    return next((name for name in reversed(found) if isinstance(name, str) and _CODE.fullmatch(name)), code)
