"""The manifests for Kubernetes hold what their schemas know, and fit one another and the job. None was run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from maskline.pipeline.stopping import STOPPED_EXIT_CODE
from tests.e2e.job_process import PROJECT
from tests.flink.alerts import PROMETHEUS
from tests.flink.kubernetes_schemas import SCHEMAS, problems

KUBERNETES = PROJECT / "deploy" / "flink" / "kubernetes"
FILES = sorted(KUBERNETES.glob("*.yaml"))

takes_schemas = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason="the schemas are not there; tests/flink/fetch.sh fetches them where Maven is installed"
)


@takes_schemas
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_manifest_is_what_its_schema_says(file: Path) -> None:
    documents = _documents(file)

    assert documents
    assert [problem for document in documents for problem in problems(document)] == []


@takes_schemas
def test_a_misspelt_field_of_a_container_is_found() -> None:
    (cluster,) = _documents(KUBERNETES / "cluster.yaml")
    (job,) = _documents(KUBERNETES / "job.yaml")
    for template in (cluster["spec"]["taskManager"]["podTemplate"], job["spec"]["template"]):
        template["spec"]["containers"][0]["enviroment"] = []

    assert [len(problems(document)) for document in (cluster, job)] == [1, 1]


def test_the_cluster_counts_for_prometheus_as_the_settings_say() -> None:
    (cluster,) = _documents(KUBERNETES / "cluster.yaml")
    settings = yaml.safe_load((PROMETHEUS / "metrics.yaml").read_text())

    assert settings.items() <= cluster["spec"]["flinkConfiguration"].items()


def test_a_jobmanager_that_is_started_again_finds_its_jobs() -> None:
    (cluster,) = _documents(KUBERNETES / "cluster.yaml")
    settings = cluster["spec"]["flinkConfiguration"]
    (flink,) = cluster["spec"]["podTemplate"]["spec"]["containers"]
    version = cluster["spec"]["image"].partition(":")[2]

    assert settings["high-availability.type"] == "kubernetes"
    assert settings["high-availability.storageDir"].startswith("s3://")
    assert flink["name"] == "flink-main-container"
    assert flink["env"] == [{"name": "ENABLE_BUILT_IN_PLUGINS", "value": f"flink-s3-fs-hadoop-{version}.jar"}]


def test_the_pool_listens_where_its_own_pod_alone_reaches_it() -> None:
    (cluster,) = _documents(KUBERNETES / "cluster.yaml")
    (pool,) = cluster["spec"]["taskManager"]["podTemplate"]["spec"]["containers"]
    dockerfile = (KUBERNETES / "Dockerfile").read_text()

    assert 'ENTRYPOINT ["python", "-m", "maskline.pipeline.flink.worker_pool_main"]' in dockerfile
    assert pool["args"] == ["--service_port=50000"]  # and no --host: loopback, which the pod's containers share


def test_the_job_is_submitted_to_that_cluster_and_its_worker_pools() -> None:
    (cluster,) = _documents(KUBERNETES / "cluster.yaml")
    (job,) = _documents(KUBERNETES / "job.yaml")
    (pool,) = cluster["spec"]["taskManager"]["podTemplate"]["spec"]["containers"]
    (submit,) = job["spec"]["template"]["spec"]["containers"]

    assert f"--flink_master={cluster['metadata']['name']}-rest:8081" in submit["args"]
    assert f"--environment_config=localhost:{pool['args'][0].partition('=')[2]}" in submit["args"]
    assert pool["envFrom"] == submit["envFrom"]


def test_a_job_whose_submission_is_drained_away_with_its_node_is_submitted_again() -> None:
    (job,) = _documents(KUBERNETES / "job.yaml")
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]

    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never", "a failure policy takes no other"
    assert STOPPED_EXIT_CODE != 0, "or Kubernetes would take a canceled job for one that is done"


def _documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))
