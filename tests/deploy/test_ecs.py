"""What deploy/ecs hands to AWS' API is what AWS' own description of that API takes, and does what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from maskline.pipeline.http.server import Answer, HttpServer
from tests.deploy.tools_built import DEPLOY

CALLS = {
    "task-definition": ("ecs", "RegisterTaskDefinition"),
    "service": ("ecs", "CreateService"),
    "scalable-target": ("application-autoscaling", "RegisterScalableTarget"),
    "scaling-policy": ("application-autoscaling", "PutScalingPolicy"),
}
TIME_TO_STOP = 25
"""Seconds in which a stop ends, whatever hangs: docs/reliability.md."""


def contents(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "ecs" / f"{name}.json").read_text())
    return found


def problems(name: str, arguments: dict[str, Any]) -> list[str]:
    """Return what the description of a call says against its arguments; botocore itself looks at no enumeration."""
    service, operation = CALLS[name]
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(arguments, shape).generate_report()
    return [*filter(None, report.splitlines()), *_wrong_words(arguments, shape, name)]


@pytest.mark.parametrize("name", CALLS)
def test_aws_takes_it(name: str) -> None:
    assert problems(name, contents(name)) == []


def test_a_field_and_a_word_that_aws_does_not_know_are_found() -> None:
    task = contents("task-definition")
    (container,) = task["containerDefinitions"]
    container["readOnlyRootFilesystem"] = True
    task["networkMode"] = "vpc"

    assert [found.split(",")[0] for found in problems("task-definition", task)] == [
        'Unknown parameter in containerDefinitions[0]: "readOnlyRootFilesystem"',
        "task-definition.networkMode: 'vpc' is none of awsvpc",
    ]


def test_the_container_runs_as_nobody_in_particular_and_writes_nothing_but_tmp() -> None:
    task = contents("task-definition")
    (container,) = task["containerDefinitions"]

    assert container["user"] == "9999:9999"
    assert container["readonlyRootFilesystem"]
    assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    assert container["mountPoints"] == [{"sourceVolume": task["volumes"][0]["name"], "containerPath": "/tmp"}]


def test_it_is_started_again_but_not_where_that_does_not_help_and_has_time_to_stop() -> None:
    (container,) = contents("task-definition")["containerDefinitions"]

    assert container["restartPolicy"] == {"enabled": True, "ignoredExitCodes": [0, 2], "restartAttemptPeriod": 60}
    assert TIME_TO_STOP < container["stopTimeout"] <= 120  # the most that Fargate waits
    assert {"name": "MASKLINE_LONG_POLL_SECONDS", "value": "20"} in container["environment"]


def test_a_wrong_setup_is_taken_back_and_a_deployment_never_stops_all() -> None:
    deployment = contents("service")["deploymentConfiguration"]

    assert deployment["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert deployment["minimumHealthyPercent"] == 100


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_health_check_is_what_live_says(status: int, exit_code: int) -> None:
    (container,) = contents("task-definition")["containerDefinitions"]
    kind, program, *arguments = container["healthCheck"]["command"]
    assert (kind, program) == ("CMD", "python")

    with HttpServer("127.0.0.1", 0, {"/live": lambda _: Answer(b"", "text/plain", status)}) as server:
        here = [argument.replace(":8080", f":{server.port}") for argument in arguments]
        ended = subprocess.run([sys.executable, *here], capture_output=True, check=False, timeout=30)

    assert ended.returncode == exit_code


def _wrong_words(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, part in value.items():
            if name in shape.members:
                yield from _wrong_words(part, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for number, part in enumerate(value):
            yield from _wrong_words(part, shape.member, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        for name, part in value.items():
            yield from _wrong_words(part, shape.value, f"{path}.{name}")
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {', '.join(sorted(shape.enum))}"
