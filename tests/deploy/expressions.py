"""What the alerts and dashboards read: every PromQL expression, and the metrics in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.deploy.tools_built import DEPLOY
from tests.flink.alerts import metrics_of

ALERTS = {"job": DEPLOY / "prometheus" / "alerts.yaml", "flink": DEPLOY / "flink" / "prometheus" / "alerts.yaml"}
DASHBOARDS = {name: DEPLOY / "grafana" / f"{name}.json" for name in ALERTS}
_OF_PROMETHEUS = {"ALERTS"}
_VALUES_FOR_VARIABLES = {"$__rate_interval": "5m", "$stream|-": ".*", "$stream": ".*", "$queue": ".*"}
_VALUES_FOR_VARIABLES |= {"$instance": ".*", "$job": ".*"}


def alerts(where: str) -> list[dict[str, Any]]:
    """Return the alerts of a kind of job, without recording rules.

    Args:
        where: ``job``, for jobs that are scraped at their own port, or ``flink``.
    """
    return [rule for rule in _rules(where) if "alert" in rule]


def dashboard(where: str) -> dict[str, Any]:
    """Return the dashboard of a kind of job."""
    content: dict[str, Any] = json.loads(DASHBOARDS[where].read_text())
    return content


def panels(where: str) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that show something."""
    return [panel for panel in dashboard(where)["panels"] if panel["type"] != "row"]


def metrics_read(where: str) -> set[str]:
    """Return the names of all metrics that the alerts and the dashboard of a kind of job read.

    Raises:
        ValueError: An expression is no PromQL.
    """
    recorded = {rule["record"] for rule in _rules(where) if "record" in rule}
    return set[str]().union(*map(metrics_of, _expressions(where))) - recorded - _OF_PROMETHEUS


def _rules(where: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS[where].read_text())["groups"] for rule in group["rules"]]


def _expressions(where: str) -> Iterator[str]:
    for rule in _rules(where):
        yield rule["expr"]
    board = dashboard(where)
    for panel in panels(where):
        for target in panel["targets"]:
            yield _without_variables(target["expr"])
    for annotation in board["annotations"]["list"]:
        yield annotation["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), \w+\)", variable["definition"])
            assert found, variable["definition"]
            if not found[1].startswith("{__name__"):
                yield found[1]


def _without_variables(expression: str) -> str:
    for variable, value in _VALUES_FOR_VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression
