"""Alerts and dashboards read metrics that a running job has, and the alerts fire when they should."""

from __future__ import annotations

import re
import shutil
import signal
import urllib.request
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.deploy.expressions import ALERTS, alerts, dashboard, metrics_read, panels
from tests.deploy.tools_built import DEPLOY, run_tool, takes
from tests.e2e.conftest import StartJob, login
from tests.e2e.job_process import JobProcess
from tests.flink.alerts import alerted_metrics

KINDS = tuple(ALERTS)
FLINK_DASHBOARD_ALONE = {
    f"flink_taskmanager_job_task_operator_maskline_{name}"
    for name in (
        "written",
        "duplicates",
        "deleted",
        "rejections_deleted",
        "row_rejections_deleted",
        "commit_milliseconds_sum",
        "commit_milliseconds_count",
        "batch_size_sum",
        "batch_size_count",
    )
}
"""What no alert on Flink reads; tests/flink/test_prometheus.py finds it at a running job, too."""


@pytest.mark.slow
def test_every_metric_that_alerts_and_dashboard_read_is_there_at_a_running_job(
    start_job: StartJob, queue: SqsQueue
) -> None:
    queue.send([login(1), "not JSON"])
    job = start_job("--http_port=0")
    await_until(lambda: _value(job, "maskline_deleted_total") == 2, "the job has deleted both messages")
    await_until(lambda: "maskline_queue_messages" in _scrape(job), "SQS has told the queue's depth")

    found = set(_scrape(job))

    job.send_signal(signal.SIGTERM)
    assert job.wait() == 0
    assert metrics_read("job") - found == set()


def test_the_dashboard_of_flink_reads_what_its_test_looks_for() -> None:
    assert metrics_read("flink") == alerted_metrics() | FLINK_DASHBOARD_ALONE


def test_an_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for kind in KINDS:
        for alert in alerts(kind):
            assert alert["annotations"].keys() == {"summary", "action"}, alert["alert"]
            assert alert["labels"]["severity"] in ("critical", "warning")


def test_an_absence_is_told_for_each_stream() -> None:
    labels = {"job": "stream", "flink": "job_name"}
    for kind, label in labels.items():
        (absent,) = [alert for alert in alerts(kind) if alert["alert"] == "MasklineStreamAbsent"]
        assert absent["expr"].count(f"group by ({label})") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_panels_of_a_dashboard_fill_its_grid_and_share_no_id(kind: str) -> None:
    board = dashboard(kind)
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    ids = [panel["id"] for panel in board["panels"]]

    assert len(cells) == len(set(cells)), "two panels lie on one another"
    assert len(cells) == 24 * (max(y for _, y in cells) + 1), "there is a hole"
    assert len(ids) == len(set(ids))
    assert board["id"] is None if "id" in board else True


@pytest.mark.parametrize("kind", KINDS)
def test_a_dashboard_asks_the_data_source_that_is_chosen_and_knows_its_variables(kind: str) -> None:
    board = dashboard(kind)
    known = {variable["name"] for variable in board["templating"]["list"]} | {"__rate_interval"}

    for panel in panels(kind):
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert set(re.findall(r"\$\{?(\w+)", target["expr"])) <= known


@takes("promtool")
@pytest.mark.parametrize("folder", ["prometheus", "flink/prometheus"])
def test_the_alerts_fire_when_they_should_and_only_then(folder: str) -> None:
    tested = run_tool("promtool", "test", "rules", DEPLOY / folder / "alerts_test.yaml")

    assert tested.returncode == 0, tested.stdout + tested.stderr


@takes("promtool")
@pytest.mark.parametrize("folder", ["prometheus", "flink/prometheus"])
def test_prometheus_takes_its_configuration_with_the_alerts(folder: str, tmp_path: Path) -> None:
    settings = yaml.safe_load((DEPLOY / folder / "prometheus.yaml").read_text())
    for job in settings["scrape_configs"]:
        job.pop("kubernetes_sd_configs", None)  # Debian's promtool knows nothing of Kubernetes
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    shutil.copy(DEPLOY / folder / "alerts.yaml", tmp_path)

    checked = run_tool("promtool", "check", "config", "--lint-fatal", tmp_path / "prometheus.yaml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def _scrape(job: JobProcess) -> dict[str, float]:
    """Return the metrics of a job by name, the samples of each added up; none while it does not serve yet."""
    served = re.search(r"Serving a page, metrics and probes at (http://\S+/)", job.printed())
    if served is None:
        return {}
    with urllib.request.urlopen(f"{served[1]}metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        values: dict[str, float] = {}
        for family in families:
            for sample in family.samples:
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
    return values


def _value(job: JobProcess, name: str) -> float | None:
    return _scrape(job).get(name)
