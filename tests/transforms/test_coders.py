"""How records travel: whole, and with a size that costs nothing to estimate."""

from __future__ import annotations

from datetime import UTC, datetime

import apache_beam as beam
import pytest
from apache_beam.coders import registry

from maskline.records import MaskedRow, Reason, Receipt, RejectedRecord, Rejection, SqsMessage
from maskline.transforms.coders import RecordCoder

SENT_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
RECEIPT = Receipt("00000000-0000-4000-8000-000000000001", "handle")
RECORDS = [
    SqsMessage("00000000-0000-4000-8000-000000000001", "handle", "\ud800 half a pair", SENT_AT, 1),
    MaskedRow(RECEIPT, SENT_AT, 1, 7, ("u1", None, 3, SENT_AT.date()), b"sealed"),
    Rejection(RECEIPT, "user_logins", Reason.NOT_JSON, "detail", SENT_AT, 1, 7, b"sealed"),
    RejectedRecord("user_logins", Reason.NOT_JSON, "detail", 7, b"sealed"),
    RECEIPT,
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_arrives_as_it_was(record: object) -> None:
    coder = registry.get_coder(type(record))

    assert isinstance(coder, RecordCoder)
    assert coder.decode(coder.encode(record)) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_micro_batch_of_records_arrives_as_it_was(record: object) -> None:
    coder = registry.get_coder(beam.typehints.List[type(record)])

    assert coder.decode(coder.encode([record, record])) == [record, record]


def test_the_size_of_a_record_is_estimated_without_encoding_it() -> None:
    cannot_be_encoded = MaskedRow(RECEIPT, SENT_AT, 1, 7, (lambda: None,), b"sealed")

    assert RecordCoder().estimate_size(cannot_be_encoded) > len("sealed")
