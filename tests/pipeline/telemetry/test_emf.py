"""CloudWatch's embedded metric format: every line is what its specification says, and adds up to what happened."""

from __future__ import annotations

import io
import json
from typing import Any

import jsonschema
import pytest

from maskline.errors import ArgumentError
from maskline.pipeline.telemetry.emf import EmfPublisher
from tests.pipeline.telemetry.states import counting, registry_of

# From CloudWatch's page "Specification: Embedded metric format", "Embedded metric format schema".
SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Root Node",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "pattern": "^(.*)$", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                        "Unit": {"enum": ["Seconds", "Count", "None"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def printed(publisher: EmfPublisher, output: io.StringIO, metrics: Any) -> list[dict[str, Any]]:
    begun = output.tell()
    publisher(metrics.collect())
    return [json.loads(line) for line in output.getvalue()[begun:].splitlines()]


def of_labels(lines: list[dict[str, Any]], **labels: str) -> dict[str, Any]:
    (line,) = (
        line
        for line in lines
        if [sorted(labels)] == [sorted(each) for each in directive(line)["Dimensions"]]
        and all(line[name] == value for name, value in labels.items())
    )
    return line


def directive(line: dict[str, Any]) -> dict[str, Any]:
    (found,) = line["_aws"]["CloudWatchMetrics"]
    assert isinstance(found, dict)
    return found


def test_every_line_is_what_the_specification_says() -> None:
    output = io.StringIO()
    lines = printed(
        EmfPublisher("shop/maskline", "my-queue", output, lambda: 1769860800.5), output, registry_of(counting())
    )

    assert len(lines) > 3
    for line in lines:
        jsonschema.validate(line, SCHEMA)
        assert line["_aws"]["Timestamp"] == 1769860800500
        found = directive(line)
        assert found["Namespace"] == "shop/maskline"
        (dimensions,) = found["Dimensions"]
        assert all(isinstance(line[name], str) and line[name] for name in dimensions)
        assert all(type(line[metric["Name"]]) is float for metric in found["Metrics"])
        assert len(found["Metrics"]) <= 100


def test_a_counter_is_what_it_rose_by_since_the_line_before_and_a_gauge_what_it_is() -> None:
    output, context = io.StringIO(), counting()
    publisher = EmfPublisher("maskline", "my-queue", output)

    first = printed(publisher, output, registry_of(context))
    context.tally.add("received", 5)
    second = printed(publisher, output, registry_of(context))

    of_stream = [of_labels(lines, stream="logins") for lines in (first, second)]
    assert [line["maskline_received"] for line in of_stream] == [10, 5]
    assert [line["maskline_written"] for line in of_stream] == [8, 0]
    visible = [of_labels(lines, queue="my-queue", state="visible") for lines in (first, second)]
    assert [line["maskline_queue_messages"] for line in visible] == [7, 7]


def test_a_reason_that_rejected_nothing_since_then_is_not_billed() -> None:
    output, context = io.StringIO(), counting()
    publisher = EmfPublisher("maskline", "my-queue", output)

    first = printed(publisher, output, registry_of(context))
    second = printed(publisher, output, registry_of(context))

    assert of_labels(first, stream="logins", reason="not_json")["maskline_rejected"] == 2
    assert [line for line in first if "reason" in line] == [of_labels(first, stream="logins", reason="not_json")]
    assert [line for line in second if "reason" in line] == []


def test_of_a_histogram_there_are_count_sum_and_a_percentile_of_what_came_since() -> None:
    output, context = io.StringIO(), counting()
    publisher = EmfPublisher("maskline", "my-queue", output)

    first = of_labels(printed(publisher, output, registry_of(context)), stream="logins")
    context.tally.observe("end_to_end_latency_milliseconds", [4] * 100)
    second = of_labels(printed(publisher, output, registry_of(context)), stream="logins")
    third = of_labels(printed(publisher, output, registry_of(context)), stream="logins")

    name = "maskline_end_to_end_latency_seconds"
    assert (first[f"{name}_count"], first[f"{name}_sum"]) == (3, 1.534)
    assert first[f"{name}_p95"] >= 1.5
    assert second[f"{name}_count"] == 100
    assert 0.004 <= second[f"{name}_p95"] <= 0.01
    assert f"{name}_p95" not in third
    units = {metric["Name"]: metric["Unit"] for metric in directive(first)["Metrics"]}
    assert (units[f"{name}_p95"], units[f"{name}_sum"], units[f"{name}_count"]) == ("Seconds", "Seconds", "Count")


@pytest.mark.parametrize("namespace", ["", "AWS/SQS", "two words", "x" * 256])
def test_what_is_no_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(ArgumentError, match="emf_namespace"):
        EmfPublisher(namespace, "my-queue")
