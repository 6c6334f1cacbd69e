"""The chart renders what Kubernetes and KEDA take, and refuses values that would be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from maskline import __version__
from tests.deploy import keda_schemas
from tests.deploy.tools_built import DEPLOY, run_tool, takes
from tests.documents import blocks
from tests.e2e.job_process import PROJECT
from tests.flink import kubernetes_schemas

CHART = DEPLOY / "helm" / "maskline"
KUBERNETES = ("--kube-version", "1.31.0")
DIGEST = "sha256:" + 64 * "0"
LEAST = {
    "image": {"repository": "registry.example/maskline"},
    "queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/logins",
    "postgres": "postgresql://maskline@db.internal/logins",
    "keyset": "aws-kms://KEY_ARN?keyset=s3://keysets/logins.json",
}
EVERYTHING = {
    **LEAST,
    "secret": "logins-postgres",
    "aws": {"region": "eu-central-1", "roleArn": "arn:aws:iam::123456789012:role/maskline-logins"},
    "options": {"pollers": 2, "log_level": "info", "micro_batch_seconds": 0.5},
    "autoscaling": {"enabled": True, "maxReplicas": 8},
    "networkPolicy": {"podIdentity": True},
    "migration": {"enabled": True, "postgres": "postgresql://owner@db.internal/logins", "secret": "owner"},
    "streams": {"shop.toml": 'name = "shop"\n'},
    "volumes": [{"name": "ca", "configMap": {"name": "rds-ca"}}],
    "volumeMounts": [{"name": "ca", "mountPath": "/etc/maskline/ca"}],
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "jobs", "operator": "Exists"}],
    "podAnnotations": {"example": "yes"},
}

pytestmark = takes("helm")
takes_schemas = pytest.mark.skipif(
    not (kubernetes_schemas.SCHEMAS.is_dir() and keda_schemas.TYPES.is_dir()),
    reason="the schemas are not there; the fetch.sh of tests/flink and of tests/deploy fetch them",
)


def render(values: dict[str, Any], directory: Path) -> tuple[str, str]:
    """Return the manifests, and what Helm says where it renders none."""
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    rendered = run_tool("helm", "template", "logins", CHART, "--values", file, *KUBERNETES)
    return rendered.stdout, rendered.stderr


def documents(values: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Return the manifests by kind."""
    rendered, said = render(values, directory)
    assert rendered, said
    return {document["kind"]: document for document in yaml.safe_load_all(rendered) if document}


@pytest.fixture
def all_kinds(tmp_path: Path) -> dict[str, Any]:
    """The manifests of a release that uses all there is, by kind."""
    return documents(EVERYTHING, tmp_path)


def problems(document: dict[str, Any]) -> list[str]:
    """Return what a manifest's schema says against it."""
    is_of_keda = document["apiVersion"].startswith("keda.sh/")
    return keda_schemas.problems(document) if is_of_keda else kubernetes_schemas.problems(document)


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    (only,) = manifest["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def variables(manifest: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(manifest)["env"]}


@pytest.mark.parametrize("values", [LEAST, EVERYTHING], ids=["least", "everything"])
def test_helm_s_linter_finds_nothing(values: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))

    linted = run_tool("helm", "lint", "--strict", CHART, "--values", file, *KUBERNETES)

    assert linted.returncode == 0, linted.stdout + linted.stderr


@takes_schemas
@pytest.mark.parametrize("values", [LEAST, EVERYTHING], ids=["least", "everything"])
def test_kubernetes_and_keda_know_every_field(values: dict[str, Any], tmp_path: Path) -> None:
    found = {kind: problems(document) for kind, document in documents(values, tmp_path).items()}

    assert {kind: wrong for kind, wrong in found.items() if wrong} == {}


@takes_schemas
def test_a_field_that_they_do_not_know_is_found(all_kinds: dict[str, Any]) -> None:
    container(all_kinds["Deployment"])["securityContext"]["readonlyRootFilesystem"] = True
    all_kinds["ScaledObject"]["spec"]["minReplicas"] = 1
    all_kinds["ScaledObject"]["spec"]["fallback"]["behavior"] = "some"

    assert len(problems(all_kinds["Deployment"])) == 1
    wrong_word, unknown = sorted(problems(all_kinds["ScaledObject"]))
    assert "'minReplicas' was unexpected" in unknown
    assert wrong_word.startswith("$.spec.fallback.behavior: 'some' is not one of")


def test_a_release_with_all_has_every_kind_and_one_with_the_least_scales_by_no_queue(
    all_kinds: dict[str, Any], tmp_path: Path
) -> None:
    common = {"ServiceAccount", "Deployment", "PodDisruptionBudget", "NetworkPolicy"}

    assert set(documents(LEAST, tmp_path)) == common
    assert set(all_kinds) == common | {"ConfigMap", "Job", "ScaledObject", "TriggerAuthentication"}


def test_the_values_that_the_manual_shows_are_taken(tmp_path: Path) -> None:
    (shown,) = [
        each for each in blocks((PROJECT / "docs" / "deploying.md").read_text(), "yaml") if "logins.yaml" in each
    ]
    values = yaml.safe_load(shown.replace("sha256:…", DIGEST))

    deployment = documents(values, tmp_path)["Deployment"]

    assert container(deployment)["image"] == f"REGISTRY/maskline@{DIGEST}"


def test_every_pod_runs_as_the_image_s_user_with_nothing_it_may_write_but_a_tmpfs(all_kinds: dict[str, Any]) -> None:
    for kind in ("Deployment", "Job"):
        pod = all_kinds[kind]["spec"]["template"]["spec"]
        security = container(all_kinds[kind])["securityContext"]

        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 9999)
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"]["drop"] == ["ALL"]
        (tmp,) = [volume for volume in pod["volumes"] if "emptyDir" in volume]
        assert tmp["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}


def test_the_probes_ask_live_and_ready_at_the_port_that_the_job_serves(all_kinds: dict[str, Any]) -> None:
    job = container(all_kinds["Deployment"])

    paths = {name: job[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/live", "liveness": "/live", "readiness": "/ready"}
    (port,) = job["ports"]
    environment = variables(all_kinds["Deployment"])
    assert (str(port["containerPort"]), "0.0.0.0") == (
        environment["MASKLINE_HTTP_PORT"],
        environment["MASKLINE_HTTP_HOST"],
    )


def test_a_pod_has_time_to_stop_and_a_database_that_is_away_does_not_restart_it(all_kinds: dict[str, Any]) -> None:
    assert all_kinds["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 25
    assert float(variables(all_kinds["Deployment"])["MASKLINE_STALL_SECONDS"]) > 300  # --db_retry_seconds
    assert variables(all_kinds["Deployment"])["MASKLINE_LONG_POLL_SECONDS"] == "20"


def test_options_become_variables(all_kinds: dict[str, Any]) -> None:
    environment = variables(all_kinds["Deployment"])

    assert environment["MASKLINE_POLLERS"] == "2"
    assert environment["MASKLINE_MICRO_BATCH_SECONDS"] == "0.5"
    assert environment["MASKLINE_STREAM"] == "/etc/maskline/streams"


def test_the_queue_s_depth_scales_the_deployment_that_sets_no_number_itself(all_kinds: dict[str, Any]) -> None:
    scaled = all_kinds["ScaledObject"]["spec"]
    (trigger,) = scaled["triggers"]

    assert scaled["scaleTargetRef"]["name"] == all_kinds["Deployment"]["metadata"]["name"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 8)
    assert (trigger["type"], trigger["metadata"]["queueURL"]) == ("aws-sqs-queue", LEAST["queue"])
    assert trigger["authenticationRef"]["name"] == all_kinds["TriggerAuthentication"]["metadata"]["name"]
    assert "replicas" not in all_kinds["Deployment"]["spec"]


def test_a_migration_is_tried_again_but_not_where_that_does_not_help(all_kinds: dict[str, Any]) -> None:
    spec = all_kinds["Job"]["spec"]
    first, _ = spec["podFailurePolicy"]["rules"]

    assert (first["action"], first["onExitCodes"]["values"]) == ("FailJob", [2])
    assert spec["backoffLimit"] > 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # a podFailurePolicy asks for it


def test_policies_and_budget_select_the_pods_of_the_deployment_alone(all_kinds: dict[str, Any]) -> None:
    labels = all_kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    of_job = all_kinds["Job"]["spec"]["template"]["metadata"]["labels"]
    deployment = all_kinds["Deployment"]["spec"]["selector"]["matchLabels"]
    budget = all_kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]

    for selector in (deployment, budget):
        assert selector.items() <= labels.items()
        assert not selector.items() <= of_job.items()
    assert all_kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert all_kinds["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_the_chart_is_of_the_version_that_is_built() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__


def _wrong() -> Iterator[tuple[dict[str, Any], str]]:
    yield {"queue": ""}, "queue"
    yield {"postgres": "postgresql://maskline:hunter2@db/logins"}, "postgres"
    yield {"quue": "x"}, "quue"
    yield {"options": {"http_port": 9}}, "http_port"
    yield {"autoscaling": {"enabled": True}}, "aws.region"
    yield {"terminationGracePeriodSeconds": 20}, "terminationGracePeriodSeconds"


@pytest.mark.parametrize(("change", "named"), list(_wrong()), ids=lambda each: json.dumps(each))
def test_a_value_that_is_wrong_is_named_and_nothing_is_rendered(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    rendered, said = render(LEAST | change, tmp_path)

    assert rendered == ""
    assert named in said
    assert "hunter2" not in said
