"""Each message becomes a row of tokens or a rejection, and neither key nor personal data reaches the job graph."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.pvalue import AsSingleton
from apache_beam.runners.runner import PipelineResult
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to

from maskline.errors import ArgumentError
from maskline.keys import StoredKeyset, open_keyset
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Reason, Rejection, SqsMessage
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.transforms import MaskPii
from maskline.transforms.mask import _MaskBySideInput
from maskline.transforms.run_context import RunContext
from tests.beam_graph import graph_bytes
from tests.maskline.keysets import HASH_KEY, KEY, aes_siv_key, hash_key, reference_hash, reference_token, stored
from tests.maskline.logins import login, message
from tests.transforms.test_mask_keyset import KEYSET_FORMS

KEYSET = stored(aes_siv_key(7), primary=7)
PERSONAL = (b"199.172.111.135", b"593-47-5928")


def test_a_login_becomes_a_row_of_tokens(user_logins: StreamDefinition) -> None:
    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masked, rejected = _masked(pipeline, user_logins, [message(login())])

        assert_that(rejected, equal_to([]), "nothing is rejected")
        assert_that(
            masked | "Values" >> beam.Map(lambda row: (row.receipt.message_id, row.key_id, row.values)),
            equal_to(
                [
                    (
                        "6f9619ff-8b86-4011-b42d-000000000001",
                        7,
                        (
                            "424cdd21-063a-43a7-b91b-7ca1a833afae",
                            "android",
                            reference_token(KEY, 7, "199.172.111.135", "user_logins.masked_ip"),
                            reference_token(KEY, 7, "593-47-5928", "user_logins.masked_device_id"),
                            "RU",
                            "2.3.0",
                        ),
                    )
                ]
            ),
        )


@pytest.mark.heavy
def test_every_message_has_one_outcome_and_none_is_an_error(user_logins: StreamDefinition) -> None:
    bodies = [login(), "not JSON", login(ip=None), "[" * 100_000, login(user_id=7), "\ud800", login(ip="\ud800")]
    messages = [message(body, number) for number, body in enumerate(bodies)]

    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masked, rejected = _masked(pipeline, user_logins, messages)

        assert_that(masked | "Rows" >> beam.Map(_number), equal_to([0, 2]), "rows")
        assert_that(
            rejected | "Reasons" >> beam.Map(lambda rejection: (_number(rejection), rejection.reason)),
            equal_to(
                [
                    (1, Reason.NOT_JSON),
                    (3, Reason.NOT_JSON),
                    (4, Reason.WRONG_TYPE),
                    (5, Reason.NOT_JSON),
                    (6, Reason.INVALID_TEXT),
                ]
            ),
            "rejections",
        )


@pytest.mark.heavy
def test_neither_outcome_holds_a_clear_value_and_both_hold_the_body(user_logins: StreamDefinition) -> None:
    messages = [message(login(), 1), message(login(user_id=None), 2)]

    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masked, rejected = _masked(pipeline, user_logins, messages)

        outcomes = (masked, rejected) | beam.Flatten()
        assert_that(outcomes | beam.Map(_personal_data_in), equal_to([[], []]), "nothing in the clear")
        assert_that(outcomes | beam.Map(_body_of), equal_to([login(), login(user_id=None)]), "bodies")


def test_what_was_masked_and_fields_nobody_knew_are_counted(user_logins: StreamDefinition) -> None:
    bodies = [login(), login(new=1, newer=2), login(new="1"), login(user_id=None, new=1), "not JSON"]
    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    _masked(pipeline, user_logins, [message(body) for body in bodies], context)

    result = pipeline.run()
    result.wait_until_finish()

    assert {name: count for name, count in _counters(result).items() if count} == {"masked": 3, "extra_fields": 3}
    assert +context.tally.counts() == {"masked": 3, "extra_fields": 3}


def test_a_micro_batch_becomes_a_list_of_rows_and_one_of_rejections(user_logins: StreamDefinition) -> None:
    bodies = [login(), "not JSON", login(user_id=None), login()]
    micro_batch = [message(body, number) for number, body in enumerate(bodies)]
    context = RunContext()

    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masked, rejected = _masked(pipeline, user_logins, [micro_batch], context)

        assert masked.element_type == beam.typehints.List[MaskedRow]
        assert rejected.element_type == beam.typehints.List[Rejection]
        assert_that(masked | "Rows" >> beam.Map(_numbers), equal_to([[0, 3]]), "rows")
        assert_that(rejected | "Reasons" >> beam.Map(_numbers), equal_to([[1, 2]]), "rejections")

    assert context.tally.counts()["masked"] == 2


def test_a_micro_batch_in_which_nothing_is_rejected_has_no_list_of_rejections(user_logins: StreamDefinition) -> None:
    mask = _MaskBySideInput(user_logins, RunContext())
    mask.start_bundle()

    (rows,) = mask.process([message(login()), message(login())], KEYSET)

    assert [type(row) for row in rows] == [MaskedRow, MaskedRow]


def test_counts_are_of_one_bundle_and_not_of_all_before_it(user_logins: StreamDefinition) -> None:
    context = RunContext()
    mask = _MaskBySideInput(user_logins, context)
    for _ in range(3):
        mask.start_bundle()
        list(mask.process(message(login(new=1)), KEYSET))
        mask.finish_bundle()

    counts = context.tally.counts()

    assert +counts == {"masked": 3, "extra_fields": 3}


@KEYSET_FORMS
def test_the_graph_holds_no_key_and_no_personal_data(
    user_logins: StreamDefinition, stored_keyset: StoredKeyset, keyset_uri: str, tmp_path: Path, keyset_from: Any
) -> None:
    arriving = tmp_path / "arriving.json"
    arriving.write_text(login())
    key = json.loads(stored_keyset.content)["key"][0]["keyData"]["value"].encode()
    pipeline = BeamPipeline(runner="FnApiRunner")
    messages = pipeline | beam.Create([str(arriving)]) | beam.ParDo(_Receive())
    masked, _ = messages | MaskPii(user_logins, keyset=keyset_from(pipeline, keyset_uri))
    assert_that(masked | beam.Map(_number), equal_to([1]))

    before = graph_bytes(pipeline)
    pipeline.run().wait_until_finish()
    after = graph_bytes(pipeline)

    for graph in (before, after):
        assert keyset_uri.encode() in graph
        assert b"masked_device_id" in graph
        assert not any(piece in graph for piece in (*PERSONAL, key, key[8:40]))


def test_personal_data_and_a_key_in_a_graph_would_be_found(
    user_logins: StreamDefinition, stored_keyset: StoredKeyset
) -> None:
    key = json.loads(stored_keyset.content)["key"][0]["keyData"]["value"].encode()
    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([None]) | beam.Map(lambda _, held: held, (message(login()), stored_keyset))

    graph = graph_bytes(pipeline)

    assert all(piece in graph for piece in (*PERSONAL, key, key[8:40]))


class _Receive(beam.DoFn):
    """Stands for the queue: what arrives is not in the graph."""

    def process(self, path: str) -> Iterator[SqsMessage]:
        yield message(Path(path).read_text())


def _masked(
    pipeline: beam.Pipeline,
    stream: StreamDefinition,
    messages: list[SqsMessage] | list[list[SqsMessage]],
    context: RunContext | None = None,
) -> tuple[beam.PCollection[Any], beam.PCollection[Any]]:
    """Return the outcomes of messages, or of micro-batches of them."""
    keysets = pipeline | "Keyset" >> beam.Create([KEYSET])
    arrived = pipeline | "Messages" >> beam.Create(messages)
    masked, rejected = arrived | MaskPii(stream, AsSingleton(keysets), context)
    return masked, rejected


def _number(outcome: MaskedRow | Rejection) -> int:
    return int(outcome.receipt.message_id[-12:])


def _numbers(outcomes: list[MaskedRow] | list[Rejection]) -> list[int]:
    return list(map(_number, outcomes))


def _personal_data_in(outcome: MaskedRow | Rejection) -> list[bytes]:
    return [value for value in PERSONAL if value in pickle.dumps(outcome)]


def _body_of(outcome: MaskedRow | Rejection) -> str:
    return Masker(open_keyset(KEYSET)).unseal_body(outcome.sealed_body, outcome.stream, outcome.receipt.message_id)


def _counters(result: PipelineResult) -> dict[str, int]:
    found = result.metrics().query(MetricsFilter().with_namespace("maskline"))
    return {each.key.metric.name: each.committed for each in found["counters"]}


HASHED = (
    'name = "h"\ntable = "h"\n[domains.d]\nnormalize = "email"\n'
    '[columns.v]\ntype = "char(22)"\nmask = "hash"\ndomain = "d"'
)


def test_columns_are_hashed_under_the_keyset_of_hashes_and_values_without_a_form_are_counted(
    keyset_uri: str, tmp_path: Path
) -> None:
    place = tmp_path / "hashes.json"
    place.write_bytes(stored(hash_key(), primary=9).content)
    place.chmod(0o600)
    stream = parse_stream(HASHED, "h.toml")
    context = RunContext()
    with BeamPipeline(runner="FnApiRunner") as pipeline:
        masking = MaskPii(stream, keyset_uri, context, hash_keyset=f"file:{place}")
        masked, _ = pipeline | beam.Create(['{"v": "Ann@Example.com"}', '{"v": "Ann"}']) | masking

        hashes = [reference_hash(HASH_KEY, value, "d") for value in ("ann@example.com", "Ann")]
        assert_that(masked, equal_to([{"v": value} for value in hashes]))

    assert context.tally.counts()["invalid_values"] == 1


def test_without_the_keyset_of_hashes_the_transform_is_refused_at_once(keyset_uri: str) -> None:
    with pytest.raises(ArgumentError, match="hash_keyset: missing; the stream h hashes v"):
        MaskPii(parse_stream(HASHED, "h.toml"), keyset_uri)
