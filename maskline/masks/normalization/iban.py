"""International bank account numbers: in capitals, without the spaces, hyphens and dots that group them.

One whose check digits are wrong, or that is not built as its country has it, has no normal form.

Source: ISO 13616; https://arthurdejong.org/python-stdnum/doc/2.2/stdnum.iban
"""

from __future__ import annotations

from stdnum import iban
from stdnum.exceptions import ValidationError

VERSION = 1
PACKAGE = "python-stdnum"


def normal_form(value: str) -> str | None:
    """Return the one spelling of a number, or None where it is none."""
    try:
        # The countries' own check digits are left aside: the library learns of more, and forms must not change with it.
        return str(iban.validate(value, check_country=False))
    except ValidationError:
        return None
