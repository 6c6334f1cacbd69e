"""What operators see of the job: its metrics at Prometheus' door and in Flink's REST, all under names to read."""

from __future__ import annotations

import math
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from maskline.pipeline.local.processes import free_port
from maskline.postgres.connection import Connection
from maskline.sqs import QueueAddress, SqsQueue
from tests.awaiting import await_until
from tests.deploy.expressions import metrics_read
from tests.e2e.conftest import Ledger, login
from tests.flink.alerts import PROMETHEUS
from tests.flink.submitted_job import SubmittedJob, submitted_job, takes_flink

OURS = "flink_taskmanager_job_task_operator_maskline_"
MAX_SERIES_OF_A_TASK = 200
"""Of one parallel instance, so that a hundred of them are no burden for Prometheus."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), takes_flink]

_SERIES = re.compile(r"^([\w:]+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Series(dict[str, str]):
    """One series that was scraped: its labels, its name and its value."""

    def __init__(self, name: str, labels: str, value: str) -> None:
        super().__init__(_LABEL.findall(labels))
        self.name = name
        self.value = float(value)


@pytest.fixture
def ledger(database: Connection, queue: SqsQueue) -> Ledger:
    """What became of the messages."""
    return Ledger(database, queue)


@pytest.fixture
def job(tmp_path: Path, queue_address: QueueAddress, dsn: str, keyset_uri: str) -> Iterator[SubmittedJob]:
    """The job on a cluster with the settings that we hand out, but for the port."""
    settings = yaml.safe_load((PROMETHEUS / "metrics.yaml").read_text())
    port = free_port()
    settings["metrics.reporter.prom.port"] = f"{port}-{port + 50}"
    options = [
        f"--queue={queue_address.queue}",
        f"--queue_endpoint={queue_address.endpoint}",
        f"--postgres={dsn}",
        f"--keyset={keyset_uri}",
    ]
    with submitted_job(tmp_path, options, settings) as job:
        yield job


def test_prometheus_finds_what_the_job_counts_and_all_that_alerts_and_dashboard_read(
    job: SubmittedJob, queue: SqsQueue, ledger: Ledger
) -> None:
    sent = queue.send([*(login(number) for number in range(40)), "not JSON"])
    await_until(lambda: len(ledger.rows()) == 40, "the rows are there", seconds=120)
    await_until(lambda: _value(_scrape(job), f"{OURS}deleted") == 40, "Flink has counted them", seconds=60)

    series = _scrape(job)

    ledger.check(sent)
    assert _value(series, f"{OURS}received") == 41
    assert _value(series, f"{OURS}written") == 40
    assert _value(series, f"{OURS}rejections_rejected_not_json") == 1
    assert _value(series, f"{OURS}delete_failures") == 0
    assert _value(series, f"{OURS}end_to_end_latency_milliseconds_count") == 40
    assert _value(series, f"{OURS}end_to_end_latency_milliseconds_sum") > 0
    assert metrics_read("flink") - {each.name for each in series} == set()
    of_the_job = [each for each in series if each.get("job_name") == "maskline_user_logins"]
    assert len([each for each in of_the_job if "subtask_index" in each]) < MAX_SERIES_OF_A_TASK
    assert not any(each.keys() & {"task_attempt_id", "task_attempt_num"} for each in of_the_job)
    (vertex,) = [vertex["name"] for vertex in job.rest()["vertices"] if vertex["status"] == "RUNNING"]
    assert re.fullmatch(r"\[\d+\]\{Receive from SQS, Mask, (Batch|Write|Delete) .*\}", vertex)
    (operator,) = [each["operator_name"] for each in of_the_job if each.name == f"{OURS}written"]
    assert re.fullmatch(r"_\d+__Receive_from_SQS__Mask__.*", operator)


def _scrape(job: SubmittedJob) -> list[Series]:
    logs = "".join(log.read_text() for log in job.cluster.log_directory.glob("*.log"))
    ports = re.findall(r"Started PrometheusReporter HTTP server on port (\d+)", logs)
    assert len(ports) == 2, "one of the JobManager, one of the TaskManager"
    pages = (urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) for port in ports)
    series = []
    for page in pages:
        with page:
            series += [Series(*found) for found in _SERIES.findall(page.read().decode())]
    return series


def _value(series: list[Series], name: str) -> float:
    """Return the sum over all series of a name, or what equals nothing where there is none."""
    values = [each.value for each in series if each.name == name]
    return sum(values) if values else math.nan
