"""The kinds of personal data that can be told by their looks."""

from __future__ import annotations

import enum


class PersonalDataKind(enum.StrEnum):
    """A kind of personal data whose values have a form that other text hardly ever has."""

    EMAIL = "e-mail address"
    PHONE = "phone number"
    IP_ADDRESS = "IP address"
    MAC_ADDRESS = "MAC address"
    IBAN = "IBAN"
    CARD = "card number"
    NATIONAL_ID = "national identity number"
