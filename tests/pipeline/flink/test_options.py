"""What the job needs of Flink is set where the user did not say, and what workers cannot reach is refused."""

from __future__ import annotations

import msgspec
import pytest

from maskline.errors import UsageError
from maskline.keys import KeysetUri
from maskline.pipeline.beam_options import parse_beam_options
from maskline.pipeline.flink.options import check_flink_options, set_flink_defaults
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import load_stream

AWS_QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/logins"
CLUSTER = "--flink_master=flink-jobmanager:8081"


def job(postgres: str = "postgresql://writer@db/logins", queue: str = AWS_QUEUE) -> JobSettings:
    return JobSettings(
        load_stream("user_logins"), QueueAddress(queue), PostgresDsn.parse(postgres), KeysetUri.parse("env:KEYSET")
    )


def test_what_the_user_did_not_say_is_set() -> None:
    options = set_flink_defaults(
        parse_beam_options(["--runner=FlinkRunner"]), msgspec.structs.replace(job(), pollers=3)
    )

    values = options.get_all_options(retain_unknown_options=True)
    assert values["streaming"] is True
    assert values["flink_version"] == "1.19"
    assert values["max_bundle_time_mills"] == "200"
    assert values["number_of_execution_retries"] == "1000000"
    assert values["execution_retry_delay"] == "10000"
    assert values["job_name"] == "maskline-user_logins"
    assert (values["parallelism"], values["max_parallelism"]) == (3, 12)


def test_one_slot_has_one_key_group() -> None:
    options = set_flink_defaults(parse_beam_options(["--runner=FlinkRunner"]), job())

    assert options.get_all_options(retain_unknown_options=True)["max_parallelism"] == 1


def test_what_the_user_said_stays() -> None:
    given = [
        "--runner=FlinkRunner",
        "--max_bundle_time_mills=50",
        "--flink_version=1.20",
        "--job_name=logins",
        "--parallelism=2",
    ]

    options = set_flink_defaults(parse_beam_options(["--runner=FlinkRunner", *given]), job())

    values = options.get_all_options(retain_unknown_options=True)
    assert (values["max_bundle_time_mills"], values["flink_version"]) == ("50", "1.20")
    assert values["job_name"] == "logins"
    assert (values["parallelism"], values["max_parallelism"]) == (2, 8)


@pytest.mark.parametrize(
    "postgres",
    [
        "postgresql://writer@localhost/logins",
        "postgresql://writer@127.0.0.1:5433/logins",
        "postgresql://postgres@/logins?host=/var/run/postgresql",
        "dbname=logins",
    ],
)
def test_a_database_on_loopback_is_refused_for_a_cluster_elsewhere(postgres: str) -> None:
    options = parse_beam_options(["--runner=FlinkRunner", CLUSTER])

    with pytest.raises(UsageError, match="the workers of flink-jobmanager:8081 are not on this machine"):
        check_flink_options(options, job(postgres))


def test_a_queue_on_loopback_is_refused_for_a_cluster_elsewhere() -> None:
    options = parse_beam_options(["--runner=FlinkRunner", CLUSTER])

    with pytest.raises(UsageError, match="is on this machine's loopback"):
        check_flink_options(options, job(queue="http://127.0.0.1:9324/000000000000/logins"))


@pytest.mark.parametrize(
    ("arguments", "postgres"),
    [
        ([CLUSTER], "postgresql://writer@db/logins"),
        ([CLUSTER], "service=logins"),
        (["--flink_master=localhost:8081"], "postgresql://writer@localhost/logins"),
        (["--flink_master=http://127.0.0.1:8081"], "postgresql://writer@localhost/logins"),
        (["--flink_master=[local]"], "postgresql://writer@localhost/logins"),
        (["--flink_master=[auto]", "--output_executable_path=job.jar"], "postgresql://writer@localhost/logins"),
    ],
)
def test_what_workers_may_reach_is_let_through(arguments: list[str], postgres: str) -> None:
    check_flink_options(parse_beam_options(["--runner=FlinkRunner", *arguments]), job(postgres))
