"""Records name their message wherever they are shown, and never what was in it."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from maskline.records import MaskedRow, Reason, Receipt, Rejection, SqsMessage

SENT_AT = datetime(2023, 11, 5, 12, 30, tzinfo=UTC)
RECEIPT = Receipt("6f9619ff-8b86-4011-b42d-00c04fc964ff", "handle-of-the-delivery")
MESSAGE = SqsMessage(RECEIPT.message_id, RECEIPT.receipt_handle, '{"ip": "199.172.111.135"}', SENT_AT, 3)
ROW = MaskedRow(RECEIPT, SENT_AT, 3, 7, ("RU", "AQAAAAedIOab"), b"sealed-bytes")
REJECTION = Rejection(
    RECEIPT, "user_logins", Reason.NULL_FIELD, "field user_id is null", SENT_AT, 3, 7, b"sealed-bytes"
)


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (MESSAGE, "SqsMessage(6f9619ff-8b86-4011-b42d-00c04fc964ff, sent 2023-11-05T12:30:00Z, delivery 3)"),
        (RECEIPT, "Receipt(6f9619ff-8b86-4011-b42d-00c04fc964ff)"),
        (ROW, "MaskedRow(6f9619ff-8b86-4011-b42d-00c04fc964ff)"),
        (REJECTION, "Rejection(6f9619ff-8b86-4011-b42d-00c04fc964ff, null_field)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_record_shows_which_message_it_is_of_and_no_value(record: object, shown: str) -> None:
    assert repr(record) == shown
    assert str(record) == shown
    assert f"{[record]}" == f"[{shown}]"


@pytest.mark.parametrize("record", [MESSAGE, RECEIPT, ROW, REJECTION], ids=lambda record: type(record).__name__)
def test_a_record_cannot_be_changed_after_it_was_made(record: object) -> None:
    field = record.__struct_fields__[0]  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="immutable"):
        setattr(record, field, "another")


def test_the_reasons_that_are_stored_and_counted_stay_what_they_are() -> None:
    values = {reason.name: str(reason) for reason in Reason}

    assert values == {
        "NOT_JSON": "not_json",
        "NOT_AN_OBJECT": "not_an_object",
        "DUPLICATE_KEY": "duplicate_key",
        "MISSING_FIELD": "missing_field",
        "NULL_FIELD": "null_field",
        "WRONG_TYPE": "wrong_type",
        "OUT_OF_RANGE": "out_of_range",
        "TOO_LONG": "too_long",
        "INVALID_TEXT": "invalid_text",
        "REFUSED_BY_DATABASE": "refused_by_database",
        "UNEXPECTED": "unexpected",
        "NOT_ALLOWED": "not_allowed",
        "UNKNOWN_FIELD": "unknown_field",
        "NO_ENVELOPE": "no_envelope",
        "NOT_UNPACKED": "not_unpacked",
        "TOO_LARGE": "too_large",
        "PAYLOAD_GONE": "payload_gone",
        "PAYLOAD_DENIED": "payload_denied",
        "NO_STREAM": "no_stream",
    }


@pytest.mark.parametrize("record", [MESSAGE, RECEIPT, ROW, REJECTION], ids=lambda record: type(record).__name__)
def test_rich_shows_of_a_record_what_its_repr_does(record: object) -> None:
    screen = io.StringIO()

    Console(file=screen, width=200).print(record)

    assert RECEIPT.message_id in screen.getvalue()
    for secret in ("199.172", "handle-of", "AQAAAAed", "sealed"):
        assert secret not in screen.getvalue()
