"""A job sends its metrics where it is told to, the last of them when it ends."""

from __future__ import annotations

import json

import pytest

from maskline.sqs import SqsQueue
from tests.e2e.conftest import WRONG_TYPE, StartJob, login
from tests.pipeline.telemetry.receiver import OtlpReceiver


def test_a_job_that_ends_has_told_cloudwatch_and_a_collector_what_it_did(start_job: StartJob, queue: SqsQueue) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp", reason="the extra otlp is not installed")
    queue.send([login(1), login(2), WRONG_TYPE])

    with OtlpReceiver() as receiver:
        job = start_job("--until_empty", "--emf_namespace=maskline", f"--otlp_endpoint={receiver.url}")
        assert job.wait() == 0, job.errors

    lines = [json.loads(line) for line in job.output.splitlines() if line.startswith('{"_aws"')]
    (of_stream,) = (line for line in lines if line.get("stream") == "user_logins" and "maskline_received" in line)
    assert (of_stream["maskline_received"], of_stream["maskline_deleted"]) == (3.0, 3.0)
    (written,) = receiver.metrics()["maskline_written"].sum.data_points
    assert written.as_double == 2.0
    rejected = {
        attribute.value.string_value: point.as_double
        for point in receiver.metrics()["maskline_rejected"].sum.data_points
        for attribute in point.attributes
        if attribute.key == "reason"
    }
    assert rejected["missing_field"] == 1.0
