"""Workers of each environment type get what they need to install the job, and what cannot work is refused."""

from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import DebugOptions

from maskline.errors import UsageError
from maskline.keys import KeysetUri
from maskline.pipeline.beam_options import parse_beam_options
from maskline.pipeline.flink.options import check_flink_options, set_flink_defaults
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import StreamDefinition

EXTERNAL = ["--environment_type=EXTERNAL", "--environment_config=localhost:50000"]
PROCESS = ["--environment_type=PROCESS", '--environment_config={"command": "/opt/beam/boot"}']
SETUP_FILE = "--setup_file=./setup.py"
HERE = "--flink_master=localhost:8081"
ELSEWHERE = "--flink_master=flink-jobmanager:8081"


@pytest.fixture
def job(user_logins: StreamDefinition) -> JobSettings:
    """A job whose parts are on machines of their own."""
    return JobSettings(
        user_logins,
        QueueAddress("logins"),
        PostgresDsn.parse("postgresql://writer@db/logins"),
        KeysetUri.parse("env:KEYSET"),
    )


@pytest.mark.parametrize("environment", [EXTERNAL, PROCESS])
def test_an_environment_of_beam_alone_can_build_the_staged_package(job: JobSettings, environment: list[str]) -> None:
    assert experiments(job, SETUP_FILE, *environment) == ["pip_use_build_isolation"]


@pytest.mark.parametrize("experiment", ["pip_use_build_isolation", "pip_no_build_isolation"])
def test_what_the_user_said_of_building_stays(job: JobSettings, experiment: str) -> None:
    given = f"--experiments={experiment}"

    assert experiments(job, SETUP_FILE, given, *EXTERNAL) == [experiment]


def test_other_experiments_stay_beside_it(job: JobSettings) -> None:
    assert experiments(job, SETUP_FILE, "--experiments=another", *PROCESS) == ["another", "pip_use_build_isolation"]


@pytest.mark.parametrize("arguments", [[SETUP_FILE], [SETUP_FILE, "--environment_type=DOCKER"], EXTERNAL])
def test_a_container_and_workers_that_install_nothing_are_left_alone(job: JobSettings, arguments: list[str]) -> None:
    assert experiments(job, *arguments) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--environment_type=EXTERNAL"], "environment_config: is missing"),
        (["--environment_type=PROCESS"], "environment_config: .*at least the command"),
        (["--environment_type=PROCESS", "--environment_config=/opt/beam/boot"], "is a JSON object"),
        (["--environment_type=PROCESS", '--environment_config="/opt/beam/boot"'], "is a JSON object"),
        (["--environment_type=PROCESS", '--environment_config={"env": {}}'], "at least the command"),
        (["--environment_type=LOOPBACK", ELSEWHERE], "Flink is on another machine"),
        (["--environment_type=LOOPBACK", "--output_executable_path=maskline.jar"], "ends when the jar is written"),
    ],
)
def test_an_environment_that_cannot_work_is_refused(job: JobSettings, arguments: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        check_flink_options(parse_beam_options(["--runner=FlinkRunner", *arguments]), job)


@pytest.mark.parametrize(
    "arguments",
    [
        [ELSEWHERE],
        [ELSEWHERE, *EXTERNAL],
        [ELSEWHERE, *PROCESS],
        ["--environment_type=EXTERNAL", "--environment_options=external_service_address=localhost:50000"],
        ["--environment_type=PROCESS", "--environment_options=process_command=/opt/beam/boot"],
        [HERE, "--environment_type=LOOPBACK"],
        ["--job_endpoint=localhost:8099", "--environment_type=LOOPBACK"],
    ],
)
def test_an_environment_that_may_work_is_let_through(job: JobSettings, arguments: list[str]) -> None:
    check_flink_options(parse_beam_options(["--runner=FlinkRunner", *arguments]), job)


def experiments(job: JobSettings, *arguments: str) -> list[str]:
    options = set_flink_defaults(parse_beam_options(["--runner=FlinkRunner", *arguments]), job)
    return options.view_as(DebugOptions).experiments or []
