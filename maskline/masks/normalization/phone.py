"""Telephone numbers, in the international form of E.164: ``+491701234567``.

A number without a country code is one of the rule's region. One that is too short or too long for its country, or has
an extension, which E.164 cannot say, has no normal form; nor has a text with a number in it, whose other words would be
lost. Letters stand for digits (``1-800-FLOWERS``) where what they make is a number that its country has given out.

Source: https://www.itu.int/rec/T-REC-E.164, https://github.com/google/libphonenumber
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from maskline.masks.normalization.rule import NormalForm

VERSION = 3
PACKAGE = "phonenumbers"
REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)

_INVISIBLE = r"\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_AROUND = re.compile(rf"\A[{_INVISIBLE}]+|[{_INVISIBLE}]+\Z")
"""What was copied along with a number: space and marks of direction. Behind a ``phone-context`` the library takes them
for a part of it."""

_BEGIN = re.compile(rf"(?:tel:)?[{_INVISIBLE}(\[+\uff0b]*\d", re.IGNORECASE)
"""What a number begins with.

The library would leave out whatever stands before the first digit or plus sign.
"""

_URI_PARTS = re.compile("tel:|;.*", re.IGNORECASE | re.DOTALL)
_MIN_LETTERS = 3
"""From how many on the library takes letters for digits, as on the keys of a telephone. It leaves out fewer."""


def normal_form_in(region: str) -> NormalForm:
    """Return the function that gives a number its one spelling, or None where it is none.

    Args:
        region: One of `REGIONS`, ISO 3166's two letters.
    """

    def normal_form(value: str) -> str | None:
        text = _AROUND.sub("", value)
        if not _BEGIN.match(text):
            return None
        try:
            number = phonenumbers.parse(text, region)
        except NumberParseException:
            return None
        is_possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        if number.extension or not is_possible:
            return None
        letters = sum(map(str.isalpha, _URI_PARTS.sub("", text)))
        if letters and (letters < _MIN_LETTERS or not phonenumbers.is_valid_number(number)):
            return None
        return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))

    return normal_form
