"""Telling by a field's name that it likely holds personal data, which most kinds can only be told by."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_ABOUT_IT = _words(
    "at count date enabled length opt optin score source status time timestamp type valid verified version"
)
"""Last words of fields that say something about a personal value and do not hold it: ``email_verified_at``."""

_WORDS = {
    "e-mail address": "email emails mail mails emailaddress mailto",
    "phone number": "phone phones phonenumber mobile telephone msisdn fax cellphone tel whatsapp",
    "IP address": "ip ips ipaddress ipaddr ipv4 ipv6",
    "MAC address": "mac macaddress bssid",
    "name of a person": (
        "firstname lastname fullname surname forename givenname familyname nickname username realname maidenname "
        "displayname cardholder signature"
    ),
    "date of birth": "birthday birthdate dob dateofbirth birth born",
    "postal address": "street streetname housenumber zip zipcode postcode postalcode postal plz addressline",
    "place of a person": "latitude longitude lat lon lng geo geolocation coordinates gps geohash",
    "bank account or card": "iban pan cvv cvc cardnumber creditcard accountnumber bankaccount",
    "identity number": "ssn passport nino pesel taxid nationalid licenseplate vin",
    "device of a person": "imei imsi iccid idfa idfv gaid aaid adid deviceid advertisingid fingerprint cookie cookies",
    "user agent": "useragent",
    "credential": "password passwd secret apikey authorization credential credentials accesstoken refreshtoken jwt",
    "special category": "gender sex religion ethnicity nationality diagnosis disability",
}
_PAIRS = {
    "name of a person": (
        "first name, last name, full name, given name, family name, middle name, maiden name, display name, user name, "
        "nick name, real name, legal name, customer name, contact name, holder name, recipient name, account name, "
        "screen name, name first, name last, name given, name family, name middle, name full"
    ),
    "date of birth": "birth date, birth day, birth year, date birth, of birth",
    "postal address": "house number, zip code, postal code, post code, address line, street name",
    "bank account or card": "card number, account number, account no, bank account, credit card",
    "identity number": (
        "social security, tax id, tax number, national id, id number, license plate, passport number, "
        "insurance number, insurance id, patient number, patient id"
    ),
    "device of a person": "device id, advertising id, ad id, device uuid, device serial, vendor id, install id",
    "user agent": "user agent",
    "credential": "access token, refresh token, auth token, session token, session id, api key, private key, id token",
}
_WHAT_BY_WORD = {word: what for what, words in _WORDS.items() for word in words.split()}
_WHAT_BY_PAIR = {tuple(pair.split()): what for what, pairs in _PAIRS.items() for pair in pairs.split(", ")}

_PERSONS = _words(
    "account actor applicant author buyer cardholder client contact customer driver employee guest holder member "
    "owner passenger patient payee payer person profile recipient sender shopper student subscriber user"
)
_ADDRESSES = _words("address addresses billing shipping delivery location")
_VALUES = _words("address formatted full normalized number raw text value")
"""Names that say nothing but that the object around them is what they hold: ``phone.value``."""

_PARTS_OF_ADDRESSES = _words("address line line1 line2 city town region state county number district")


def personal_by_name(names: Sequence[str]) -> str | None:
    """Return what personal data a field's name tells of, ``e-mail address`` say, or None.

    Args:
        names: The names on the way to the field, from the outermost object in; the field's own is the last.
    """
    words = words_of(names[-1])
    if not words or (len(words) > 1 and words[-1] in _ABOUT_IT and words[-2:] not in (["birth", "date"],)):
        return None
    around = {word for name in names[:-1] for word in words_of(name)}
    parent = words_of(names[-2]) if len(names) > 1 else []
    whole = "".join(words)
    found = _WHAT_BY_WORD.get(whole)
    found = found or next(
        (_WHAT_BY_PAIR[pair] for pair in itertools.pairwise([*parent[-1:], *words]) if pair in _WHAT_BY_PAIR), None
    )
    found = found or next((_WHAT_BY_WORD[word] for word in words if word in _WHAT_BY_WORD), None)
    if found is None and parent and set(words) <= _VALUES:
        found = personal_by_name(names[:-1])
    if found is None and words[-1] == "name" and (around | set(words)) & _PERSONS:
        found = "name of a person"
    if found is None and ("address" in words or (around & _ADDRESSES and set(words) & _PARTS_OF_ADDRESSES)):
        found = "postal address"
    return found


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, however it joins them: ``userAgent``, ``user-agent``, ``USER_AGENT``.

    Args:
        name: The name.
    """
    return [word.lower() for word in _WORD.findall(name)]
