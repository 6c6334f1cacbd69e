"""Personal data told by the name of a field."""

from __future__ import annotations

import pytest

from maskline.personal_data.names import personal_by_name, words_of


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("customer.email", "e-mail address"),
        ("contactEmail", "e-mail address"),
        ("E-Mail", "e-mail address"),
        ("phone_number", "phone number"),
        ("clientIp", "IP address"),
        ("IPAddress", "IP address"),
        ("FIRST_NAME", "name of a person"),
        ("customer.name", "name of a person"),
        ("patient.name.first", "name of a person"),
        ("phone.value", "phone number"),
        ("payment.card.number", "bank account or card"),
        ("insurance.number", "identity number"),
        ("recipientName", "name of a person"),
        ("date_of_birth", "date of birth"),
        ("birth_date", "date of birth"),
        ("shipping.address.zip", "postal address"),
        ("shipping.address.city", "postal address"),
        ("billingAddress", "postal address"),
        ("position.lat", "place of a person"),
        ("payment.iban", "bank account or card"),
        ("device_id", "device of a person"),
        ("userAgent", "user agent"),
        ("user.accessToken", "credential"),
        ("gender", "special category"),
    ],
)
def test_a_telling_name(path: str, what: str) -> None:
    assert personal_by_name(path.split(".")) == what


@pytest.mark.parametrize(
    "path",
    [
        "id",
        "order_id",
        "name",
        "product.name",
        "page.first",
        "order.number",
        "amount.value",
        "items.sku",
        "email_verified",
        "email_sent_at",
        "phone_type",
        "zip_version",
        "description",
        "shipment",
        "tip",
        "equipment",
        "emailed",
        "city",
        "state",
        "",
        "§",
    ],
)
def test_a_name_that_tells_nothing(path: str) -> None:
    assert personal_by_name(path.split(".")) is None


def test_words_however_they_are_joined() -> None:
    assert (
        words_of("userAgentV2") == words_of("user-agent v2") == words_of("USER_AGENT_V2") == ["user", "agent", "v", "2"]
    )
