"""IP addresses, as RFC 5952 writes them; an IPv4 address that is mapped into IPv6 is that IPv4 address.

A zone (``%eth0``) is kept as it is. An IPv4 address with leading zeros has no normal form: readers differ on whether
those make it octal.

Source: https://www.rfc-editor.org/rfc/rfc5952
"""

from __future__ import annotations

import ipaddress
import re

VERSION = 1
PACKAGE = None

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
is_canonical = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}").fullmatch
"""Whether a value is an IPv4 address, which has one spelling; it costs a tenth of reading it."""


def normal_form(value: str) -> str | None:
    """Return the one spelling of an address, or None where it is none."""
    try:
        address = ipaddress.ip_address(value.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and (mapped := address.ipv4_mapped) is not None:
        if address.scope_id is None:
            return str(mapped)
        # By hand, for Python writes it with dots from 3.13 on, and its token must not change.
        high, low = divmod(int(mapped), 0x10000)
        return f"::ffff:{high:x}:{low:x}%{address.scope_id}"
    return str(address)
