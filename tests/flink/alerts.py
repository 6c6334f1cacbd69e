"""The alerts for Prometheus, and the metrics that they read."""

from __future__ import annotations

from typing import Any

import promql_parser
import yaml

from tests.e2e.job_process import PROJECT

PROMETHEUS = PROJECT / "deploy" / "flink" / "prometheus"


def alert_rules() -> list[dict[str, Any]]:
    """Return all rules, recording ones included."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics_of(expression: str) -> set[str]:
    """Return the names of the metrics, and of the recording rules, that an expression reads.

    Raises:
        ValueError: It is no PromQL.
    """
    names: set[str] = set()

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            names.add(str(node.name))
        elif isinstance(node, promql_parser.MatrixSelector):
            names.add(str(node.vector_selector.name))
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return names


def alerted_metrics() -> set[str]:
    """Return the names of all metrics that the alerts read, directly or by a recording rule."""
    rules = alert_rules()
    recorded = {rule["record"] for rule in rules if "record" in rule}
    return set[str]().union(*(metrics_of(rule["expr"]) for rule in rules)) - recorded
