"""E-mail addresses: in small letters, the domain in Unicode, composed (NFC).

RFC 5321 lets a host tell ``Ann@`` from ``ann@``, and practically none does. What some hosts take for one mailbox (dots,
``+tags``) stays apart. No DNS is asked.

Source: https://github.com/JoshData/python-email-validator
"""

from __future__ import annotations

import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

VERSION = 1
PACKAGE = "email-validator"

is_canonical = re.compile(
    r"""
    (?=.{6,254}\Z) (?=[^@]{1,64}@)
    [a-z0-9_+-]+ (?:\.[a-z0-9_+-]+)*
    @ (?:(?=[a-z0-9-]{1,63}\.) [a-z0-9]+ (?:-[a-z0-9]+)* \.)+
    (?!(?:arpa|invalid|local|localhost|onion|test)\Z) [a-z]{2,63}
    """,
    re.VERBOSE,
).fullmatch
"""Whether a value is a plain address in its normal form, as most are; the library takes a hundred times as long."""


def normal_form(value: str) -> str | None:
    """Return the one spelling of an address, or None where it is none."""
    try:
        address = validate_email(value.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return unicodedata.normalize("NFC", address.normalized.lower())
