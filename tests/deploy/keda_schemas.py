"""Schemas of KEDA's resources, which take no field that KEDA does not have, made from the types that npm has of them.

Source: https://www.npmjs.com/package/@kubernetes-models/keda, generated from KEDA's own Go, which tests/deploy/fetch.sh
unpacks.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema

from tests.e2e.job_process import PROJECT

TYPES = PROJECT / ".cache" / "deploy-tools" / "keda" / "v1alpha1"
_OF_KEDA = "IComGithubKedacoreKedaV2ApisKedaV1alpha1"
_FIELD = re.compile(r'^    "(\w+)"(\??): ((?:\{.*?^    \}|[^;{])+);', re.MULTILINE | re.DOTALL)
_SCALARS = {"string", "number", "boolean"}


def problems(document: dict[str, Any]) -> list[str]:
    """Return what a resource's schema says against it, each with the path of the field."""
    found = jsonschema.Draft7Validator(_schema_of(document["kind"])).iter_errors(document)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def _schema_of(name: str) -> dict[str, Any]:
    text = (TYPES / f"{name}.d.ts").read_text()
    alias = re.search(rf"^export type I?{name} = (.+);$", text, re.MULTILINE)
    if alias:
        return _schema(alias[1])
    interface = re.search(rf"^export interface I{name}\b.*?\{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    assert interface, name
    fields = _FIELD.findall(interface[1])
    return {
        "type": "object",
        "properties": {field: _schema(kind) for field, _, kind in fields},
        "required": [field for field, optional, _ in fields if not optional],
        "additionalProperties": False,
    }


def _schema(kind: str) -> dict[str, Any]:
    """Return the schema of a TypeScript type; of one that is not KEDA's, the schema that takes anything."""
    words = re.findall(r'"([^"]+)"', kind)
    if words:
        return {"enum": words}
    if kind in _SCALARS:
        return {"type": kind}
    if kind.startswith("Array<"):
        return {"type": "array", "items": _schema(kind.removeprefix("Array<").removesuffix(">"))}
    if kind.startswith(_OF_KEDA):
        return _schema_of(kind.removeprefix(_OF_KEDA))
    values = re.match(r"\{\s*\[key: string\]: (\w+);", kind)
    return {"type": "object", "additionalProperties": _schema(values[1])} if values else {}
