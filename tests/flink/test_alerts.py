"""The alerts are PromQL, and read what there is."""

from __future__ import annotations

import pytest

from tests.flink.alerts import alert_rules, alerted_metrics, metrics_of

OPERATOR = "flink_taskmanager_job_task_operator"


def test_the_alerts_read_metrics_that_there_are() -> None:
    # tests/flink/test_prometheus.py finds each of them at a running job.
    assert alerted_metrics() == {
        f"{OPERATOR}_maskline_received",
        f"{OPERATOR}_maskline_rejections_rejected",
        f"{OPERATOR}_maskline_row_rejections_rejected",
        f"{OPERATOR}_maskline_db_retries",
        f"{OPERATOR}_maskline_rejections_db_retries",
        f"{OPERATOR}_maskline_row_rejections_db_retries",
        f"{OPERATOR}_maskline_delete_failures",
        f"{OPERATOR}_maskline_rejections_delete_failures",
        f"{OPERATOR}_maskline_row_rejections_delete_failures",
        f"{OPERATOR}_maskline_end_to_end_latency_milliseconds_sum",
        f"{OPERATOR}_maskline_end_to_end_latency_milliseconds_count",
        f"{OPERATOR}_currentOutputWatermark",
        "flink_jobmanager_job_numRestarts",
        "flink_taskmanager_Status_JVM_Memory_Heap_Used",
        "flink_taskmanager_Status_JVM_Memory_Heap_Max",
    }


def test_every_alert_says_what_to_do() -> None:
    for rule in alert_rules():
        if "alert" in rule:
            assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]
            assert rule["labels"]["severity"] in ("critical", "warning")


def test_what_is_no_promql_is_found_out() -> None:
    with pytest.raises(ValueError, match=r".+"):
        metrics_of("sum by (job_name (a)")
