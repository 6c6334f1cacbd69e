"""The running job counts what looks like personal data in clear, in a sample of its rows, and keeps no value."""

from __future__ import annotations

import logging

import apache_beam as beam
import pytest
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline

from maskline.records import MaskedRow
from maskline.streams.definition import StreamDefinition
from maskline.transforms import MaskPii
from maskline.transforms.mask import _MaskBySideInput
from maskline.transforms.run_context import RunContext
from maskline.transforms.suspects import ROWS_PER_LOOK
from tests.maskline.keysets import aes_siv_key, opened, stored
from tests.maskline.logins import login, message

KEYSET = stored(aes_siv_key(7), primary=7)
LEAKING = login(locale="ann@example.com")


def counts(context: RunContext) -> dict[str, int]:
    """Return what was found, by column of the stream of logins."""
    prefix = "suspect_pii_user_logins."
    return {name.removeprefix(prefix): count for name, count in context.tally.counts().items() if prefix in name}


def masked_in_a_bundle(stream: StreamDefinition, bodies: list[str]) -> RunContext:
    """Mask messages as one bundle does."""
    context = RunContext()
    mask = _MaskBySideInput(stream, context)
    mask.use(opened(7))
    mask.start_bundle()
    for number, body in enumerate(bodies):
        (row,) = mask.mask(message(body, number))
        assert isinstance(row, MaskedRow)
    mask.finish_bundle()
    return context


def test_each_column_in_clear_is_there_from_zero_on(user_logins: StreamDefinition) -> None:
    context = masked_in_a_bundle(user_logins, [login()])

    assert counts(context) == {"user_id": 0, "device_type": 0, "locale": 0, "app_version": 0}


def test_an_address_in_a_column_in_clear_is_counted(user_logins: StreamDefinition) -> None:
    context = masked_in_a_bundle(user_logins, [LEAKING])

    assert counts(context) == {"user_id": 0, "device_type": 0, "locale": 1, "app_version": 0}


def test_the_first_row_of_a_bundle_and_every_thousandth_are_looked_at(user_logins: StreamDefinition) -> None:
    context = masked_in_a_bundle(user_logins, [LEAKING] * (2 * ROWS_PER_LOOK + 1))

    assert counts(context)["locale"] == 3


def test_records_from_elsewhere_are_looked_at_too_and_the_metric_is_beams(
    user_logins: StreamDefinition, caplog: pytest.LogCaptureFixture
) -> None:
    context = RunContext()
    pipeline = BeamPipeline(runner="FnApiRunner")
    keyset = beam.pvalue.AsSingleton(pipeline | "Keyset" >> beam.Create([KEYSET]))
    with caplog.at_level(logging.DEBUG, logger="maskline"):
        _ = pipeline | "Records" >> beam.Create([LEAKING]) | MaskPii(user_logins, keyset, context)

        result = pipeline.run()
        result.wait_until_finish()

    found = result.metrics().query(MetricsFilter().with_namespace("maskline"))["counters"]
    by_name = {each.key.metric.name: each.committed for each in found}
    assert by_name["suspect_pii_user_logins.locale"] == counts(context)["locale"] == 1
    assert by_name["suspect_pii_user_logins.app_version"] == 0
    assert "ann@example.com" not in caplog.text
