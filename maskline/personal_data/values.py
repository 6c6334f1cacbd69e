"""Finding personal data in text by its form: candidates by a regular expression, then the judgment of a kept library.

What passes is likely, and not certain: a version ``1.2.3.4`` is an IP address to whoever does not know better. What
does not pass may be personal all the same: a name, a birthday and a street have no form of their own.

The libraries take as long to import as a job to mask 5,000 messages, so each is imported with its first candidate,
which most jobs never see.
"""

from __future__ import annotations

import importlib
import ipaddress
import re
from collections.abc import Callable, Iterator

from maskline.personal_data.kinds import PersonalDataKind

_MAX_CANDIDATES = 100
"""How many candidates of a kind are judged in one text, so that none takes longer than some milliseconds."""

_MIN_LENGTH = 6
_MIN_NATIONAL_ID = 9
_MIN_CARD = 14
_MIN_IBAN = 15
_PERHAPS_PERSONAL = re.compile(r"@|[0-9]{2}|:")
"""What every kind has somewhere, and most words have not."""

_MAX_LOCAL_PART = 64
_LOCAL_PART_END = re.compile(r"[^\s@<>()\[\],;:\"'=]+\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[^\W_]|-){0,62}\.){1,8}[^\W\d_][^\W_]{1,62}")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00(?=[ ./()-]?[0-9]{1,3}[ ./()-]))[0-9 ./()-]{6,24}[0-9](?!\w)")
_IPV4 = re.compile(r"(?<![\w.])(?<!\w/)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\w|\.\w)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{3,39}(?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?(?![\w:])"
)
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?!\w)")
_CARD = re.compile(r"(?<![\w.-])(?:[0-9]{14,19}|[0-9]{4}([ -])[0-9]{4,6}\1[0-9]{4,5}(?:\1[0-9]{4})?)(?![\w-]|\.[0-9])")
_CARD_ISSUER = re.compile(
    r"4[0-9]{15}"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # Diners Club
    r"|(?:6011|65[0-9]{2}|64[4-9][0-9])[0-9]{12}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|62[0-9]{14,17}"  # UnionPay
)
"""The numbers that a card of a known issuer may have.

Source: https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN)
"""

_NATIONAL_IDS = {
    "us.ssn": r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
    "it.codicefiscale": r"[A-Z]{6}[0-9A-Z]{2}[A-Z][0-9A-Z]{2}[A-Z][0-9A-Z]{3}[A-Z]",
    "fr.nir": r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
    "es.dni": r"[0-9]{8}-?[A-Z]",
    "es.nie": r"[XYZ]-?[0-9]{7}-?[A-Z]",
    "fi.hetu": r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]",
    "se.personnummer": r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}",
}
"""National numbers that have letters, signs or many check digits; one of plain digits is any number's form.

Each is named as the module of stdnum is that judges it.
"""

_NATIONAL_ID = re.compile(r"(?<![\w.+-])(?:" + "|".join(map("(?:{})".format, _NATIONAL_IDS.values())) + r")(?![\w+-])")

_PUBLIC_OR_LOCAL = tuple(
    map(ipaddress.IPv6Network, ("2000::/3", "fc00::/7", "fe80::/10", "::ffff:0:0/96", "64:ff9b::/96"))
)
"""The IPv6 addresses that machines have.

Source: https://www.iana.org/assignments/ipv6-address-space/ipv6-address-space.xhtml
"""


def kinds_in(text: str) -> frozenset[PersonalDataKind]:
    """Return the kinds of personal data that stand somewhere in a text, or are all of it.

    Found are: e-mail addresses, those of special-use domains such as ``.local`` excepted; phone numbers that begin with
    ``+``, or with ``00`` where they are written in groups; IP addresses but those of nobody (``127.0.0.1``, ``::``);
    MAC addresses; IBANs; numbers of payment cards; national identity numbers of Spain, Finland, France, Italy, Sweden
    and the USA.

    It is cheap: a text is looked at closely only for what its length and its signs allow.

    Args:
        text: Any text. At most 100 candidates of a kind are judged.
    """
    if len(text) < _MIN_LENGTH or not _PERHAPS_PERSONAL.search(text):
        return frozenset()
    return frozenset(kind for kind, stands_in in _DETECTORS.items() if stands_in(text))


def _has_email(text: str) -> bool:
    if "@" not in text:
        return False
    return any(map(_is_email, _first(_email_candidates(text))))


def _email_candidates(text: str) -> Iterator[str]:
    at = text.find("@")
    while at >= 0:
        local = _LOCAL_PART_END.search(text[max(at - _MAX_LOCAL_PART, 0) : at])
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            yield f"{local[0]}@{domain[0]}"
        at = text.find("@", at + 1)


def _is_email(candidate: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(candidate, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def _has_phone(text: str) -> bool:
    return ("+" in text or "00" in text) and any(map(_is_phone, _matches(_PHONE, text)))


def _is_phone(candidate: str) -> bool:
    import phonenumbers

    number = f"+{candidate[2:]}" if candidate.startswith("00") else candidate
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def _has_ip_address(text: str) -> bool:
    if text.count(".") >= 3 and any(map(_is_ipv4, _matches(_IPV4, text))):
        return True
    return ("::" in text or text.count(":") >= 6) and any(map(_is_ipv6, _matches(_IPV6, text)))


def _is_ipv4(candidate: str) -> bool:
    try:
        address = ipaddress.IPv4Address(candidate)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or address.is_reserved)


def _is_ipv6(candidate: str) -> bool:
    try:
        address = ipaddress.IPv6Address(candidate)
    except ValueError:
        return False
    return any(address in network for network in _PUBLIC_OR_LOCAL)


def _has_mac_address(text: str) -> bool:
    return max(text.count(":"), text.count("-")) >= 5 and any(map(_is_mac_address, _matches(_MAC, text)))


def _is_mac_address(candidate: str) -> bool:
    """Return whether it is one machine's: none but zeros is nobody's, and none but F everybody's."""
    return set(candidate.lower()) - {":", "-"} not in ({"0"}, {"f"})


def _has_iban(text: str) -> bool:
    return len(text) >= _MIN_IBAN and any(map(_is_iban, _matches(_IBAN, text)))


def _is_iban(candidate: str) -> bool:
    """Return whether a number is one, with or without the words in capitals that stand behind it."""
    groups = candidate.split(" ")
    return any(_is_valid("iban", "".join(groups[:count])) for count in range(len(groups), 0, -1))


def _has_card(text: str) -> bool:
    return len(text) >= _MIN_CARD and any(map(_is_card, _matches(_CARD, text)))


def _is_card(candidate: str) -> bool:
    digits = candidate.replace(" ", "").replace("-", "")
    return bool(_CARD_ISSUER.fullmatch(digits)) and _is_valid("luhn", digits)


def _has_national_id(text: str) -> bool:
    return len(text) >= _MIN_NATIONAL_ID and any(map(_is_national_id, _matches(_NATIONAL_ID, text)))


def _is_national_id(candidate: str) -> bool:
    return any(re.fullmatch(form, candidate) and _is_valid(name, candidate) for name, form in _NATIONAL_IDS.items())


def _is_valid(name: str, number: str) -> bool:
    """Say what a module of stdnum does of a number."""
    return bool(importlib.import_module(f"stdnum.{name}").is_valid(number))


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return _first(match[0] for match in pattern.finditer(text))


def _first(candidates: Iterator[str]) -> Iterator[str]:
    return (candidate for candidate, _ in zip(candidates, range(_MAX_CANDIDATES), strict=False))


_DETECTORS: dict[PersonalDataKind, Callable[[str], bool]] = {
    PersonalDataKind.EMAIL: _has_email,
    PersonalDataKind.PHONE: _has_phone,
    PersonalDataKind.IP_ADDRESS: _has_ip_address,
    PersonalDataKind.MAC_ADDRESS: _has_mac_address,
    PersonalDataKind.IBAN: _has_iban,
    PersonalDataKind.CARD: _has_card,
    PersonalDataKind.NATIONAL_ID: _has_national_id,
}
