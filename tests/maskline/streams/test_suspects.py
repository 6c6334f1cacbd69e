"""What looks like personal data is found in columns in clear, and nowhere else."""

from __future__ import annotations

from decimal import Decimal

import pytest

from maskline.personal_data.kinds import PersonalDataKind
from maskline.streams.definition import parse_stream
from maskline.streams.suspects import MAX_CHARACTERS, SuspectColumns

STREAM = parse_stream(
    """
name = "orders"
table = "orders"
[columns.order_id]
field = "id"
type = "bigint"
[columns.masked_email]
field = "email"
type = "text"
mask = "deterministic"
[columns.note]
field = "note"
type = "text"
clear = true
[columns.tags]
field = "tags[*]"
type = "text[]"
clear = true
[columns.document]
field = "."
type = "jsonb"
clear = true
[columns.state]
field = "state"
type = "text"
values = ["open", "paid"]
[columns.masked_document]
field = "."
type = "jsonb"
mask = "leaves"
clear = ["lines[*].note"]
[columns.total]
field = "total"
type = "numeric"
""",
    origin="test",
)
COLUMNS = SuspectColumns(STREAM)


def values(note: object = None, tags: object = None, document: object = None, **others: object) -> list[object]:
    """Return the values of a row; others are those of order_id, masked_document and total."""
    order_id, masked_document, total = map(others.get, ("order_id", "masked_document", "total"))
    return [order_id, "ann@example.com", note, tags, document, "4111111111111111", masked_document, total]


TOKEN = "AQAAAAcrpFDFn6ML55rB-3rRYvJCQ50pIMRRiS0FLvg"


def test_it_looks_at_what_is_in_clear_and_whose_values_nobody_listed() -> None:
    assert COLUMNS.names == ("order_id", "note", "tags", "document", "masked_document", "total")


def test_a_row_without_personal_data_in_clear_has_none() -> None:
    assert COLUMNS.found_in(values("leave it at the door", ["gift"], '{"qty":2}')) == {}
    assert COLUMNS.found_in(values()) == {}


@pytest.mark.parametrize(
    ("found", "column", "kind"),
    [
        ({"note": "call me: +49 170 1234567"}, "note", PersonalDataKind.PHONE),
        ({"tags": [None, "gift", "for bob@example.com"]}, "tags", PersonalDataKind.EMAIL),
        ({"document": '{"client":{"address":"198.51.100.7"}}'}, "document", PersonalDataKind.IP_ADDRESS),
        ({"order_id": 4111111111111111}, "order_id", PersonalDataKind.CARD),
        ({"total": Decimal("4111111111111111")}, "total", PersonalDataKind.CARD),
        (
            {"masked_document": f'{{"lines":[{{"note":"for bob@example.com","sku":"{TOKEN}"}}]}}'},
            "masked_document",
            PersonalDataKind.EMAIL,
        ),
        ({"masked_document": {"lines": [{"note": "198.51.100.7"}]}}, "masked_document", PersonalDataKind.IP_ADDRESS),
        ({"masked_document": f'{{"bob@example.com":"{TOKEN}"}}'}, "masked_document", PersonalDataKind.EMAIL),
    ],
)
def test_personal_data_is_told_by_column_and_kind(
    found: dict[str, object], column: str, kind: PersonalDataKind
) -> None:
    assert COLUMNS.found_in(values(**found)) == {column: {kind}}


def test_of_a_document_what_is_masked_is_left_out_before_and_after_it_is() -> None:
    assert COLUMNS.found_in(values(masked_document={"email": "bob@example.com", "lines": [{"sku": "a"}]})) == {}
    assert COLUMNS.found_in(values(masked_document=f'{{"email":"{TOKEN}"}}')) == {}
    assert COLUMNS.found_in(values(masked_document="bob@example.com")) == {}


def test_a_long_text_is_looked_at_only_so_far() -> None:
    far_away = " " * MAX_CHARACTERS + "ann@example.com"

    assert COLUMNS.found_in(values(note=far_away)) == {}
