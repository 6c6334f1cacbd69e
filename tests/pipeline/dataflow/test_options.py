"""What Dataflow's workers cannot reach, and a package that a submission lacks, are told before anything is sent."""

from __future__ import annotations

import sys

import pytest

from maskline.errors import MissingExtraError, UsageError
from maskline.keys import KeysetUri
from maskline.pipeline.beam_options import parse_beam_options
from maskline.pipeline.dataflow.options import check_dataflow_options
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import load_stream

AWS_QUEUE = QueueAddress("https://sqs.eu-central-1.amazonaws.com/123456789012/logins")
LOCAL_QUEUE = QueueAddress("http://localhost:4566/000000000000/logins", "http://localhost:4566")


def job(postgres: str = "postgresql://writer@db/logins", queue: QueueAddress = AWS_QUEUE) -> JobSettings:
    return JobSettings(load_stream("user_logins"), queue, PostgresDsn.parse(postgres), KeysetUri.parse("env:KEYSET"))


@pytest.mark.parametrize(
    ("unreachable", "complaint"),
    [
        (job(postgres="postgresql://writer@localhost/logins"), "postgres: is on this machine's loopback"),
        (job(postgres="host=/run/postgresql dbname=logins"), "postgres: is on this machine's loopback"),
        (job(queue=LOCAL_QUEUE), "logins: is on this machine's loopback"),
    ],
)
def test_what_workers_elsewhere_cannot_reach_is_refused(unreachable: JobSettings, complaint: str) -> None:
    options = parse_beam_options(["--runner=DataflowRunner"])

    with pytest.raises(UsageError, match=f"{complaint}, and the workers of Dataflow are not on this machine"):
        check_dataflow_options(options, unreachable)
    check_dataflow_options(options, job())


def test_an_api_on_this_machine_may_use_what_is_on_it() -> None:
    options = parse_beam_options(["--runner=DataflowRunner", "--dataflow_endpoint=http://localhost:9050"])

    check_dataflow_options(options, job(postgres="postgresql://writer@localhost/logins", queue=LOCAL_QUEUE))


@pytest.mark.parametrize("package", ["google.cloud.dataflow", "google.cloud.storage", "google_auth_httplib2"])
def test_a_package_that_is_missing_is_told_with_the_extra_that_brings_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingExtraError, match=rf"needs {package}, .* pip install 'maskline\[dataflow\]'"):
        check_dataflow_options(parse_beam_options(["--runner=DataflowRunner"]), job())
