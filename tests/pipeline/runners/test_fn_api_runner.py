"""FnApiRunner does not keep what it measured of every bundle."""

from __future__ import annotations

from apache_beam.metrics import monitoring_infos
from apache_beam.runners.portability.fn_api_runner import fn_runner

from maskline.pipeline.runners.fn_api_runner import patch_metric_consolidation


def test_metrics_of_two_bundles_are_one_at_once() -> None:
    bundles = [monitoring_infos.int64_user_counter("maskline", "received", number) for number in (2, 3)]

    with patch_metric_consolidation():
        merged = fn_runner.consolidate_monitoring_infos(iter(bundles))

    assert isinstance(merged, list)
    assert [monitoring_infos.extract_counter_value(info) for info in merged] == [5]


def test_beam_is_as_it_was_afterwards() -> None:
    with patch_metric_consolidation():
        pass

    assert fn_runner.consolidate_monitoring_infos is monitoring_infos.consolidate
