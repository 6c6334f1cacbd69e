"""The schemas of Kubernetes' own resources and of the Flink Kubernetes Operator's, made strict."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.job_process import PROJECT

SCHEMAS = PROJECT / ".cache" / "kubernetes-schemas"
MODULES = {
    "ConfigMap": ("core", "kubernetes_core_ConfigMap"),
    "Deployment": ("apps", "kubernetes_apps_Deployment"),
    "ServiceAccount": ("core", "kubernetes_core_ServiceAccount"),
    "Job": ("batch", "kubernetes_batch_v1_Job"),
    "PodDisruptionBudget": ("policy", "kubernetes_policy_v1_PodDisruptionBudget"),
    "NetworkPolicy": ("networking", "kubernetes_networking_v1_NetworkPolicy"),
    "RoleBinding": ("rbac", "kubernetes_rbac_v1_RoleBinding"),
}
"""Which of fabric8's modules has the schema of a kind, and under which name."""
_SCALAR_OR_TEXT: dict[str, Any] = {"type": ["string", "integer", "number"]}
"""What Kubernetes calls a Quantity and an IntOrString, which fabric8 describes as the Java objects they become."""


def schema_of(kind: str) -> dict[str, Any]:
    """Return the schema of a kind, which takes no field that the kind does not have."""
    if kind == "FlinkDeployment":
        resource = yaml.load(  # the C loader, for half a megabyte
            _read("flink-kubernetes-operator-api", "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"),
            Loader=yaml.CSafeLoader,
        )
        schema: dict[str, Any] = _strict(resource["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        return {**schema, "properties": {**schema["properties"], "apiVersion": {}, "kind": {}, "metadata": {}}}
    module, name = MODULES[kind]
    whole = json.loads(_read(f"kubernetes-model-{module}", "schema/validation-schema.json"))
    definitions = {each: _strict(definition) for each, definition in whole["definitions"].items()}
    for each in definitions:
        if each.endswith(("_Quantity", "_IntOrString")):
            definitions[each] = _SCALAR_OR_TEXT
    return {"$ref": f"#/definitions/{name}", "definitions": definitions}


def problems(document: Any) -> list[str]:
    """Return what a resource's schema says against it, each with the path of the field."""
    import jsonschema  # every process that collects the tests would wait two seconds for the grammars that it compiles

    found = jsonschema.Draft7Validator(schema_of(document["kind"])).iter_errors(document)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def _read(artifact: str, name: str) -> str:
    (jar,) = SCHEMAS.glob(f"{artifact}-*.jar")
    with zipfile.ZipFile(Path(jar)) as archive:
        return archive.read(name).decode()


def _strict(schema: Any) -> Any:
    """Return a schema in which objects have no more than the fields that it names."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return _SCALAR_OR_TEXT
    # fabric8 writes "required" at the field itself, which no version of JSON Schema knows.
    strict = {name: _strict(each) for name, each in schema.items() if name != "required" or isinstance(each, list)}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict["additionalProperties"] = False
    return strict
