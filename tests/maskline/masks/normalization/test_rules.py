"""Spellings of one value have one normal form, values that differ have two, and a normal form is its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.masks.normalization import NormalForm, Normalization
from maskline.masks.normalization.rule import RULES

PHONE = "phone:DE"
ALL_RULES = [PHONE if rule == "phone" else rule for rule in RULES]

EQUAL = [
    ("email", "Ann@Example.com", "ann@example.com ", "ann@example.com"),
    ("email", "ANN@EXAMPLE.COM", "ann@example.com", "ann@example.com"),
    ("email", "ann@xn--mnchen-3ya.de", "ann@MÜNCHEN.de", "ann@münchen.de"),
    ("email", "andré@example.com", "andre\u0301@example.com", "andré@example.com"),
    ("email", "\tAnn.Lee+News@example.co.uk\n", "ann.lee+news@example.co.uk", "ann.lee+news@example.co.uk"),
    ("ip", "2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:db8::1"),
    ("ip", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", "2001:db8::1"),
    ("ip", "::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4"),
    ("ip", "::FFFF:102:304", " 1.2.3.4 ", "1.2.3.4"),
    ("ip", "::ffff:1.2.3.4%eth0", "::FFFF:102:304%eth0", "::ffff:102:304%eth0"),
    ("ip", "2001:db8::1:0:0:1", "2001:db8:0:0:1::1", "2001:db8::1:0:0:1"),
    ("ip", "FE80::1%eth0", "fe80:0::1%eth0", "fe80::1%eth0"),
    (PHONE, "+49 170 1234567", "0049-170-1234567", "+491701234567"),
    (PHONE, "0170 1234567", "(0170) 123-4567", "+491701234567"),
    (PHONE, "tel:+49-170-1234567", "+49 (0) 170 1234567", "+491701234567"),
    (PHONE, "\u202a+49 170 1234567\u202c", "\uff0b\uff14\uff19 170 1234567", "+491701234567"),
    (PHONE, "+1-800-FLOWERS", "+1 800 3569377", "+18003569377"),
    (PHONE, "tel:170-1234567;phone-context=+49", "tel:0170-1234567;phone-context=example.com", "+491701234567"),
    (PHONE, " tel:170-1234567;phone-context=+49\t", "\u202atel:170-1234567;phone-context=+49\u202c\n", "+491701234567"),
    (PHONE, "Tel: 0170 1234567", "[0170] 1234567", "+491701234567"),
    (PHONE, "+1 202-555-0143", "001 202 555 0143", "+12025550143"),
    (PHONE, "+39 06 6982", "0039 066982", "+39066982"),
    (
        "uuid",
        "6F9619FF-8B86-4011-B42D-00C04FC964FF",
        "6f9619ff8b864011b42d00c04fc964ff",
        "6f9619ff-8b86-4011-b42d-00c04fc964ff",
    ),
    (
        "uuid",
        "{6f9619ff-8b86-4011-b42d-00c04fc964ff}",
        "urn:uuid:6F9619FF-8b86-4011-b42d-00c04fc964ff",
        "6f9619ff-8b86-4011-b42d-00c04fc964ff",
    ),
    (
        "uuid",
        "{6F9619FF8B864011B42D00C04FC964FF}",
        " 6f9619ff8b864011b42d00c04fc964ff ",
        "6f9619ff-8b86-4011-b42d-00c04fc964ff",
    ),
    ("mac", "08-00-2B-01-02-03", "08002b:010203", "08:00:2b:01:02:03"),
    ("mac", "0800.2b01.0203", "08002B010203", "08:00:2b:01:02:03"),
    ("iban", "DE89 3704 0044 0532 0130 00", "de89370400440532013000", "DE89370400440532013000"),
    ("iban", "GB82-WEST-1234-5698-7654-32", " GB82WEST12345698765432", "GB82WEST12345698765432"),
    ("text", "é", "e\u0301", "é"),
    ("text", " Ann ", "Ann", "Ann"),
    ("text", "\u00a0Å\u2003", "A\u030a", "Å"),
    ("caseless", "STRASSE", "straße", "strasse"),
    ("caseless", "É ", "e\u0301", "é"),
    ("caseless", "ΣΊΣΥΦΟΣ", "σίσυφος", "σίσυφοσ"),
]

UNEQUAL = [
    ("email", "ann.lee@example.com", "annlee@example.com"),
    ("email", "ann+news@example.com", "ann@example.com"),
    ("email", "strasse@example.com", "straße@example.com"),
    ("ip", "fe80::1%eth0", "fe80::1%eth1"),
    ("ip", "::1.2.3.4", "1.2.3.4"),
    ("ip", "1.2.3.4", "1.2.3.40"),
    (PHONE, "0170 1234567", "+43 170 1234567"),
    (PHONE, "+49 170 1234567", "+49 170 1234567 ext. 5"),
    ("uuid", "6f9619ff-8b86-4011-b42d-00c04fc964ff", "6f9619ff-8b86-4011-b42d-00c04fc964fe"),
    ("mac", "08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    ("iban", "DE89370400440532013000", "GB82WEST12345698765432"),
    ("text", "Ann", "ann"),
    ("text", "ﬁ", "fi"),
    ("caseless", "ann", "anna"),
]

WITHOUT_FORM = [
    ("email", "ann"),
    ("email", "ann@localhost"),
    ("email", "Ann <ann@example.com>"),
    ("email", ""),
    ("email", "a@b@example.com"),
    ("email", "ann@example.invalid"),
    ("ip", "1.2.3"),
    ("ip", "192.168.001.001"),
    ("ip", "1.2.3.4/24"),
    ("ip", "1.2.3.4:80"),
    ("ip", ""),
    (PHONE, "112"),
    (PHONE, "not a number"),
    (PHONE, "+49 170 1234567 ext. 5"),
    (PHONE, "Ann 0170 1234567"),
    (PHONE, "0170 1234567 Ann"),
    (PHONE, "+49 170 1234567 (Bob)"),
    (PHONE, "0170 1234567 AB"),
    (PHONE, "12, call 0170 1234567"),
    (PHONE, "0170 12345678901234567"),
    ("uuid", "6f9619ff-8b86-4011-b42d"),
    ("uuid", "{6f9619ff-8b86-4011-b42d-00c04fc964ff"),
    ("uuid", "6f9619ff-8b864011-b42d-00c04fc964ff"),
    ("mac", "08:00:2b:01:02"),
    ("mac", "08:00-2b:01-02:03"),
    ("mac", "0g:00:2b:01:02:03"),
    ("iban", "DE89 3704 0044 0532 0130 01"),
    ("iban", "DE8937040044053201300"),
    ("iban", ""),
]

_SEEDS = [value for _, one, other, form in EQUAL for value in (one, other, form)] + [value for _, value in WITHOUT_FORM]
_ALPHABET = "0123456789abcdefABCDEFgz@.:-%+/ {}\u0301é\u00a0ß"


def form_of(rule: str) -> NormalForm:
    return Normalization.parse(rule).normal_form()


def values() -> st.SearchStrategy[str]:
    """Return texts of all kinds, many of them nearly a value of some rule."""
    edited = st.builds(
        lambda seed, place, text: seed[: place % (len(seed) + 1)] + text + seed[place % (len(seed) + 1) :],
        st.sampled_from(_SEEDS),
        st.integers(0, 50),
        st.text(st.sampled_from(_ALPHABET), max_size=2),
    )
    return st.one_of(
        edited,
        edited.map(str.upper),
        edited.map(str.swapcase),
        st.text(st.sampled_from(_ALPHABET), max_size=20),
        st.text(max_size=12),
        st.ip_addresses().map(str),
        st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
        st.uuids().map(str),
        st.emails(),
        st.from_regex(r"\A(\+|00)?[0-9 ()-]{3,16}\Z"),
    )


@pytest.mark.parametrize(("rule", "one", "other", "form"), EQUAL)
def test_spellings_of_one_value_have_one_normal_form(rule: str, one: str, other: str, form: str) -> None:
    normal_form = form_of(rule)

    assert (normal_form(one), normal_form(other), normal_form(form)) == (form, form, form)


@pytest.mark.parametrize(("rule", "one", "other"), UNEQUAL)
def test_values_that_differ_do_not_become_one(rule: str, one: str, other: str) -> None:
    normal_form = form_of(rule)

    assert normal_form(one) is not None
    assert normal_form(one) != normal_form(other)


@pytest.mark.parametrize(("rule", "value"), WITHOUT_FORM)
def test_what_is_no_value_of_the_rule_has_no_normal_form(rule: str, value: str) -> None:
    assert form_of(rule)(value) is None


@pytest.mark.heavy
@pytest.mark.parametrize("rule", ALL_RULES)
@settings(deadline=None, max_examples=100)
@given(value=values())
def test_a_normal_form_is_its_own_and_has_no_space_around_it(rule: str, value: str) -> None:
    normal_form = form_of(rule)

    form = normal_form(value)

    if form is None:
        assert rule not in ("text", "caseless")
    else:
        assert normal_form(form) == form
        assert form == form.strip()
        assert normal_form(f" {value}\t") == form


@pytest.mark.heavy
@pytest.mark.parametrize("rule", ["ip", "email", "uuid", "mac", "text", "caseless"])
@settings(deadline=None, max_examples=100)
@given(value=values())
def test_the_short_cut_for_canonical_values_agrees_with_the_rule(rule: str, value: str) -> None:
    module = __import__(f"maskline.masks.normalization.{rule}", fromlist=["normal_form"])

    if module.is_canonical(value):
        assert module.normal_form(value) == value


def test_a_value_in_its_normal_form_is_returned_itself() -> None:
    value = "".join(["203.0", ".113.7"])

    assert form_of("ip")(value) is value


@pytest.mark.parametrize("rule", ALL_RULES)
def test_a_rule_knows_its_version_and_its_library(rule: str) -> None:
    normalization = Normalization.parse(rule)

    versions = {PHONE: 3, "uuid": 2}
    packages = {"email": "email-validator ", PHONE: "phonenumbers ", "iban": "python-stdnum "}
    assert (normalization.name, normalization.version) == (rule, versions.get(rule, 1))
    assert (normalization.library or "").startswith(packages.get(rule, ""))
    assert (normalization.library is None) is (rule not in packages)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            "e-mail",
            "normalize 'e-mail' is not known; write one of ip, email, phone:REGION, uuid, mac, iban, text, caseless",
        ),
        ("ip:4", "normalize 'ip:4' takes nothing behind a colon; write 'ip'"),
        (
            "phone",
            "normalize 'phone': needs the region whose numbers may come without a country code, in capitals; write "
            "'phone:DE', say",
        ),
        (
            "phone:de",
            "normalize 'phone:de': needs the region whose numbers may come without a country code, in capitals; write "
            "'phone:DE', say",
        ),
    ],
)
def test_a_rule_that_is_none_is_refused_with_what_to_write(rule: str, why: str) -> None:
    with pytest.raises(ValueError, match="normalize") as refusal:
        Normalization.parse(rule)

    assert str(refusal.value) == why
