"""Telephone numbers, in the international form of E.164: ``+491701234567``.

A number without a country code is one of the rule's region. One that is too short or too long for its country, or has
an extension, which E.164 cannot say, has no normal form.

Source: https://www.itu.int/rec/T-REC-E.164, https://github.com/google/libphonenumber
"""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from maskline.masks.normalization.rule import NormalForm

VERSION = 1
PACKAGE = "phonenumbers"
REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)


def normal_form_in(region: str) -> NormalForm:
    """Return the function that gives a number its one spelling, or None where it is none.

    Args:
        region: One of `REGIONS`, ISO 3166's two letters.
    """

    def normal_form(value: str) -> str | None:
        try:
            number = phonenumbers.parse(value, region)
        except NumberParseException:
            return None
        is_possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        if number.extension or not is_possible:
            return None
        return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))

    return normal_form
