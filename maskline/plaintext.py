"""Endpoints that would be talked to in clear over a network, which is where messages and keys are read by others."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

ALLOWED_VARIABLE = "MASKLINE_ALLOW_PLAINTEXT_ENDPOINT"
"""What allows it where an endpoint comes from AWS's own settings, on a worker too: a variable, as those are."""


def is_plaintext_beyond_loopback(url: str) -> bool:
    """Return whether a URL is ``http://`` and leads off this machine.

    Args:
        url: The URL of a service, well formed.
    """
    parts = urlsplit(url)
    return parts.scheme.lower() == "http" and not is_loopback(parts.hostname or "")


def is_plaintext_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the environment allows it.

    Args:
        environment: The environment.
    """
    return environment.get(ALLOWED_VARIABLE, "").lower() in ("true", "1")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    Args:
        host: Its name or address.
    """
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
