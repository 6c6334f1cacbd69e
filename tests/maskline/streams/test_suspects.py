"""What looks like personal data is found in columns in clear, and nowhere else."""

from __future__ import annotations

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
""",
    origin="test",
)
COLUMNS = SuspectColumns(STREAM)


def values(note: object = None, tags: object = None, document: object = None) -> list[object]:
    return [4111111111111111, "ann@example.com", note, tags, document, "open"]


def test_it_looks_at_text_and_documents_in_clear_whose_values_nobody_listed() -> None:
    assert COLUMNS.names == ("note", "tags", "document")


def test_a_row_without_personal_data_in_clear_has_none() -> None:
    assert COLUMNS.found_in(values("leave it at the door", ["gift"], '{"qty":2}')) == {}
    assert COLUMNS.found_in(values()) == {}


@pytest.mark.parametrize(
    ("found", "column", "kind"),
    [
        ({"note": "call me: +49 170 1234567"}, "note", PersonalDataKind.PHONE),
        ({"tags": [None, "gift", "for bob@example.com"]}, "tags", PersonalDataKind.EMAIL),
        ({"document": '{"client":{"address":"198.51.100.7"}}'}, "document", PersonalDataKind.IP_ADDRESS),
    ],
)
def test_personal_data_is_told_by_column_and_kind(
    found: dict[str, object], column: str, kind: PersonalDataKind
) -> None:
    assert COLUMNS.found_in(values(**found)) == {column: {kind}}


def test_a_long_text_is_looked_at_only_so_far() -> None:
    far_away = " " * MAX_CHARACTERS + "ann@example.com"

    assert COLUMNS.found_in(values(note=far_away)) == {}
