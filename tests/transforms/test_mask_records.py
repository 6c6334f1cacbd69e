"""Records that did not come from SQS, as of a Kafka pipeline: dicts of columns come out, with tokens in them."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import apache_beam as beam
import pytest
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.pvalue import AsSingleton
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to

from maskline.errors import ArgumentError
from maskline.keys import open_keyset
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Reason, RejectedRecord
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.masking import MessageMasker
from maskline.transforms import MaskPii, RunContext
from tests.maskline.keysets import KEY, aes_siv_key, reference_token, stored
from tests.maskline.logins import login, message
from tests.transforms.running import Collect

KEYSET = stored(aes_siv_key(7), primary=7)
MASKED_LOGIN = {
    "user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae",
    "device_type": "android",
    "masked_ip": reference_token(KEY, 7, "199.172.111.135", "user_logins.masked_ip"),
    "masked_device_id": reference_token(KEY, 7, "593-47-5928", "user_logins.masked_device_id"),
    "locale": "RU",
    "app_version": "2.3.0",
}
ORDERS = parse_stream(
    """
    name = "orders"
    table = "orders"
    [columns.number]
    type = "bigint"
    [columns.total]
    type = "numeric"
    [columns.placed_at]
    type = "timestamptz"
    [columns.masked_email]
    field = "email"
    type = "text"
    pii = true
    """,
    "orders.toml",
)
ORDER = {"number": 7, "total": Decimal("19.90"), "placed_at": datetime(2026, 1, 31, tzinfo=UTC), "email": "a@b.example"}


@pytest.mark.parametrize("form", [str, str.encode, json.loads], ids=["text", "bytes", "a decoded record"])
def test_a_record_becomes_a_dict_of_the_stream_s_columns(form: Any) -> None:
    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masked, rejected = masked_records(pipeline, [form(login(loyalty_number="unknown to the stream"))])

        assert_that(masked, equal_to([MASKED_LOGIN]), "masked")
        assert_that(rejected, equal_to([]), "rejected")


def test_records_and_messages_may_be_mixed_and_have_the_same_tokens() -> None:
    tokens = Collect()

    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masked, _ = masked_records(pipeline, [message(login()), login(), json.loads(login())])
        masked | tokens

    by_type = {type(outcome): outcome for outcome in tokens.elements}
    assert by_type[MaskedRow].values[2] == by_type[dict]["masked_ip"] == MASKED_LOGIN["masked_ip"]
    assert len(tokens.elements) == 3


@pytest.mark.parametrize(
    ("record", "reason", "body"),
    [
        (login(user_id=None), Reason.NULL_FIELD, login(user_id=None)),
        ("199.172.111.135 is not JSON", Reason.NOT_JSON, "199.172.111.135 is not JSON"),
        (b"\xff199.172.111.135", Reason.NOT_JSON, "\udcff199.172.111.135"),
        ({"ip": "199.172.111.135"}, Reason.MISSING_FIELD, '{"ip": "199.172.111.135"}'),
        ({"ip": "199.172.111.135", "x": float("nan")}, Reason.NOT_JSON, "{'ip': '199.172.111.135', 'x': nan}"),
        ({"ip": {"199.172.111.135": ...}}, Reason.NOT_JSON, "{'ip': {'199.172.111.135': Ellipsis}}"),
    ],
    ids=["null", "no JSON", "no UTF-8", "a field is missing", "NaN", "an object"],
)
def test_what_cannot_be_masked_is_rejected_sealed_and_never_in_clear(
    user_logins: StreamDefinition, record: Any, reason: Reason, body: str
) -> None:
    keyset = open_keyset(KEYSET)

    outcome = MessageMasker(user_logins, keyset).mask_record(record)

    assert isinstance(outcome, RejectedRecord)
    assert (outcome.stream, outcome.reason, outcome.key_id) == ("user_logins", reason, 7)
    assert b"199.172.111.135" not in pickle.dumps(outcome)
    assert "199.172.111.135" not in outcome.detail
    assert Masker(keyset).unseal_body(outcome.sealed_body, "user_logins", "") == body


def test_rejected_records_come_out_beside_the_masked_and_are_counted_by_reason() -> None:
    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    masked, rejected = masked_records(pipeline, [login(new=1), "not JSON", login(user_id=None)], context)
    assert_that(masked, equal_to([MASKED_LOGIN]), "masked")
    reasons = rejected | beam.Map(lambda record: record.reason)
    assert_that(reasons, equal_to([Reason.NOT_JSON, Reason.NULL_FIELD]), "rejected")

    result = pipeline.run()
    result.wait_until_finish()

    expected = {"masked": 1, "extra_fields": 1, "rejected": 2, "rejected_not_json": 1, "rejected_null_field": 1}
    found = result.metrics().query(MetricsFilter().with_namespace("maskline"))["counters"]
    assert +context.tally.counts() == expected
    assert {each.key.metric.name: each.committed for each in found if each.committed} == expected


def test_the_types_of_a_decoder_are_read_as_their_json_would_be_and_the_record_stays_as_it_was() -> None:
    order = {**ORDER, "total": Decimal("19.90"), "reference": UUID(int=7), "note": b"\x00"}
    before = dict(order)

    outcome = MessageMasker(ORDERS, open_keyset(KEYSET)).mask_record(order)

    assert outcome == {
        "number": 7,
        "total": Decimal("19.90"),
        "placed_at": datetime(2026, 1, 31, tzinfo=UTC),
        "masked_email": reference_token(KEY, 7, "a@b.example", "orders.masked_email"),
    }
    assert order == before


def test_not_a_number_is_never_taken_for_null_beside_types_that_json_does_not_have() -> None:
    outcome = MessageMasker(ORDERS, open_keyset(KEYSET)).mask_record({**ORDER, "extra": [float("inf")]})

    assert isinstance(outcome, RejectedRecord)
    assert outcome.reason == Reason.NOT_JSON


def test_a_record_nested_without_end_is_rejected(user_logins: StreamDefinition) -> None:
    record: dict[str, Any] = {}
    record["ip"] = record

    outcome = MessageMasker(user_logins, open_keyset(KEYSET)).mask_record(record)

    assert isinstance(outcome, RejectedRecord)


def test_an_element_of_another_type_stops_the_job_with_its_type_and_not_its_value() -> None:
    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    masked_records(pipeline, [(b"a key", login())], context)

    with pytest.raises(Exception, match="was given a tuple; of Kafka's pairs give the values") as failure:
        pipeline.run().wait_until_finish()

    assert isinstance(context.failure, ArgumentError)
    assert "199.172.111.135" not in str(failure.value)


def test_masked_dicts_go_on_into_steps_that_say_what_they_take() -> None:
    def column(row: dict[str, Any]) -> str:
        return str(row["masked_ip"])

    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masked, _ = masked_records(pipeline, [login()])
        columns = masked | beam.Map(column).with_input_types(dict[str, Any]).with_output_types(str)

        assert_that(columns, equal_to([MASKED_LOGIN["masked_ip"]]))


def masked_records(pipeline: beam.Pipeline, elements: list[Any], context: RunContext | None = None) -> Any:
    """Return what comes out of records, masked and rejected."""
    keysets = pipeline | "Keyset" >> beam.Create([KEYSET])
    records = pipeline | "Records" >> beam.Create(elements)
    return records | MaskPii("user_logins", AsSingleton(keysets), context)
