"""Checkpoints of Flink are let through where the job lives well with them, and refused with the reason where not."""

from __future__ import annotations

import msgspec
import pytest

from maskline.errors import UsageError
from maskline.pipeline.beam_options import parse_beam_options
from maskline.pipeline.flink.options import check_flink_options, set_flink_defaults
from maskline.pipeline.job_settings import JobSettings
from maskline.sqs.receiver import ReceiveSettings
from tests.pipeline.flink.test_options import job


def polling(seconds: int) -> JobSettings:
    return msgspec.structs.replace(job(), receive=ReceiveSettings(long_poll_seconds=seconds))


@pytest.mark.parametrize(
    ("interval", "long_poll_seconds", "complaint"),
    [
        ("500", 20, r"checkpointing_interval is 500; it must be 20000 milliseconds or more, .*long_poll_seconds is 20"),
        ("19999", 20, "it must be 20000 milliseconds or more"),
        ("999", 0, "it must be 1000 milliseconds or more"),
        ("-1", 1, "checkpointing_interval is -1; it must be 1000 milliseconds or more"),
        ("1m", 1, "checkpointing_interval is 1m; it must be 1000 milliseconds or more"),
    ],
)
def test_an_interval_shorter_than_a_poll_is_refused(interval: str, long_poll_seconds: int, complaint: str) -> None:
    options = parse_beam_options(
        ["--runner=FlinkRunner", f"--checkpointing_interval={interval}", "--max_parallelism=8"]
    )

    with pytest.raises(UsageError, match=complaint):
        check_flink_options(options, polling(long_poll_seconds))


@pytest.mark.parametrize("option", ["--checkpointing_interval=60000", "--savepoint_path=s3://flink/savepoints/1"])
def test_how_many_key_groups_there_are_is_not_left_to_chance(option: str) -> None:
    with pytest.raises(UsageError, match=r"^max_parallelism: is missing"):
        check_flink_options(parse_beam_options(["--runner=FlinkRunner", option]), job())


@pytest.mark.parametrize(
    ("arguments", "long_poll_seconds"),
    [
        (["--checkpointing_interval=20000", "--max_parallelism=8"], 20),
        (["--checkpointing_interval=1000", "--max_parallelism=8"], 1),
        (["--savepoint_path=s3://flink/savepoints/1", "--max_parallelism=8"], 20),
        ([], 20),
    ],
)
def test_others_are_let_through(arguments: list[str], long_poll_seconds: int) -> None:
    check_flink_options(parse_beam_options(["--runner=FlinkRunner", *arguments]), polling(long_poll_seconds))


@pytest.mark.parametrize("given", [[], ["--finish_bundle_before_checkpointing"]], ids=["by itself", "as the user says"])
def test_no_checkpoint_is_asked_for_and_none_would_hold_what_a_bundle_emits(given: list[str]) -> None:
    options = set_flink_defaults(parse_beam_options(["--runner=FlinkRunner", *given]), job())

    values = options.get_all_options(retain_unknown_options=True)
    assert "checkpointing_interval" not in values
    assert values["finish_bundle_before_checkpointing"] is True
    # Flags of options that are on by default, which Beam has turn them off.
    assert (values["fail_on_checkpointing_errors"], values["operator_chaining"]) == (True, True)
