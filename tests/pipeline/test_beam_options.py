"""Beam's options: typing errors are found, the engine is chosen without a download, and what cannot work is refused."""

from __future__ import annotations

import sys

import pytest
from apache_beam.options.pipeline_options import DebugOptions

from maskline.errors import UsageError
from maskline.keys import KeysetUri
from maskline.pipeline.beam_options import (
    check_beam_options,
    check_processes,
    format_beam_help,
    parse_beam_options,
    resolve_runner,
)
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import load_stream


def job(pollers: int = 1, keyset: str = "file:keyset.json") -> JobSettings:
    stream, queue = load_stream("user_logins"), QueueAddress("logins")
    return JobSettings(
        stream, queue, PostgresDsn.parse("postgresql://writer@db/logins"), KeysetUri.parse(keyset), pollers=pollers
    )


def test_direct_runner_is_fn_api_runner_where_no_prism_binary_is_named() -> None:
    runner = resolve_runner(parse_beam_options([]))

    assert (runner.name, runner.is_in_process) == ("FnApiRunner", True)
    assert "FnApiRunner" in runner.description


def test_direct_runner_is_prism_where_its_binary_is_named() -> None:
    runner = resolve_runner(parse_beam_options(["--runner=DirectRunner", f"--prism_location={sys.executable}"]))

    assert runner.name == "PrismRunner"
    assert sys.executable in runner.description


def test_a_mistyped_option_is_refused_without_its_value() -> None:
    with pytest.raises(UsageError) as refusal:
        parse_beam_options(["--prism_locaton=/opt/secret"])

    assert "--prism_locaton" in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "name", ["s3_access_key_id", "s3_secret_access_key", "s3_session_token", "azure_connection_string"]
)
def test_a_credential_that_an_engine_would_show_is_refused_without_its_value(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}: an engine shows the options of a job") as refusal:
        parse_beam_options(["--runner=DataflowRunner", f"--{name}=correct-horse"])

    assert "correct-horse" not in str(refusal.value)


def test_options_of_a_job_server_are_passed_on() -> None:
    options = parse_beam_options(["--runner=FlinkRunner", "--flink_master=flink:8081", "--max_bundle_time_mills=200"])

    assert options.get_all_options(retain_unknown_options=True)["max_bundle_time_mills"] == "200"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--runner=FlinkRunner"], "say --allow_cleartext_keyset"),
        (["--runner=DataflowRunner"], "say --allow_cleartext_keyset"),
        (["--direct_running_mode=multi_processing"], "writes no row"),
        (["--direct_num_workers=2"], "--processes"),
        (["--save_main_session"], "leave it out"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        check_beam_options(parse_beam_options(arguments), job(), allow_cleartext_keyset=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--experiments=enable_data_sampling"],
        ["--experiments=use_runner_v2,enable_data_sampling"],
        ["--experiment=use_runner_v2", "--experiment=enable_always_on_exception_sampling"],
        ["--experiments=enable_heap_dump"],
        ["--runner=DataflowRunner", "--dataflow_service_options=enable_data_sampling"],
        ["--runner=DataflowRunner", "--enable_hot_key_logging"],
    ],
)
def test_what_would_have_the_engine_show_elements_is_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=r"which (are|may be) messages in clear; leave it out"):
        parse_beam_options(arguments)


def test_exceptions_are_not_sampled_though_dataflow_would_by_default() -> None:
    options = parse_beam_options(["--runner=DataflowRunner", "--experiments=use_runner_v2"])

    assert options.view_as(DebugOptions).experiments == ["use_runner_v2", "disable_always_on_exception_sampling"]


def test_several_pollers_are_refused_where_they_would_wait_for_each_other() -> None:
    with pytest.raises(UsageError, match="one after another"):
        check_beam_options(parse_beam_options([]), job(pollers=2), allow_cleartext_keyset=False)

    check_beam_options(
        parse_beam_options([f"--prism_location={sys.executable}"]), job(pollers=2), allow_cleartext_keyset=False
    )


@pytest.mark.parametrize(
    ("processes", "name", "complaint"),
    [(0, "DirectRunner", "must be 1 or more"), (2, "FlinkRunner", "FlinkRunner has workers of its own")],
)
def test_processes_are_refused_where_they_cannot_be(processes: int, name: str, complaint: str) -> None:
    runner = resolve_runner(parse_beam_options([f"--runner={name}"]))

    with pytest.raises(UsageError, match=complaint):
        check_processes(processes, runner)


def test_a_clusters_workers_may_be_given_a_keyset_in_clear_by_leave() -> None:
    options = parse_beam_options(["--runner=FlinkRunner"])

    check_beam_options(options, job(), allow_cleartext_keyset=True)


def test_a_keyset_that_kms_encrypts_needs_no_leave_on_a_cluster() -> None:
    options = parse_beam_options(["--runner=FlinkRunner"])
    keyset = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1234?keyset=s3://keys/logins.json"

    check_beam_options(options, job(keyset=keyset), allow_cleartext_keyset=False)


def test_a_cleartext_keyset_needs_no_leave_in_this_process() -> None:
    check_beam_options(parse_beam_options([]), job(), allow_cleartext_keyset=False)


def test_beams_own_options_have_their_help() -> None:
    shown = format_beam_help()

    assert "--prism_location" in shown
    assert "--flink_master" in shown


def test_a_runner_that_is_not_known_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"runner 'Foo' is not known; known: .*FlinkRunner"):
        parse_beam_options(["--runner=Foo"])
