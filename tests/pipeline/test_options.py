"""Every option has its check, and its environment variable."""

from __future__ import annotations

import argparse

import pytest

from maskline.errors import UsageError
from maskline.pipeline.options import Options, job_settings

NEEDED = ["--queue=logins", "--postgres=postgresql://writer@db/logins", "--keyset=env:KEYSET"]


def parse(arguments: list[str], environment: dict[str, str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    Options(parser, environment or {}).add_job()
    return parser.parse_args(arguments)


def test_the_defaults_are_those_of_the_manual() -> None:
    job = job_settings(parse(NEEDED))

    assert (job.queue.queue, job.queue.endpoint, job.stream.name) == ("logins", None, "user_logins")
    assert (job.receive.micro_batch_size, job.receive.micro_batch_seconds, job.receive.visibility_timeout_seconds) == (
        1_000,
        0.2,
        60,
    )
    assert (job.pollers, job.db_retry_seconds, job.until_empty) == (1, 300, False)


def test_an_option_can_come_from_the_environment_and_the_command_line_goes_first() -> None:
    environment = {"MASKLINE_MICRO_BATCH_SIZE": "7", "MASKLINE_QUEUE": "other", "MASKLINE_UNTIL_EMPTY": "true"}

    job = job_settings(parse(NEEDED, environment))

    assert job.receive.micro_batch_size == 7
    assert job.queue.queue == "logins"
    assert job.until_empty


@pytest.mark.parametrize("missing", ["queue", "postgres", "keyset"])
def test_what_is_missing_is_named_with_both_ways_to_give_it(missing: str) -> None:
    arguments = [argument for argument in NEEDED if not argument.startswith(f"--{missing}=")]

    with pytest.raises(UsageError, match=f"give --{missing} or set MASKLINE_{missing.upper()}"):
        job_settings(parse(arguments))


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("--micro_batch_size=0", "micro_batch_size is 0"),
        ("--micro_batch_seconds=-1", "micro_batch_seconds is -1"),
        ("--visibility_timeout_seconds=43201", "SQS takes 1 to 43200"),
        ("--queue=https://", "give a queue's URL or its name"),
        ("--queue=logins.fifo", "FIFO queues are not supported"),
        ("--queue_endpoint=localhost:9324", "give a URL like http://127.0.0.1:9324"),
        ("--postgres=nonsense", "not a data source name"),
        ("--postgres=postgresql://u:hunter2@db/x", "holds a password"),
        ("--stream=nope", "known: user_logins"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_starts(option: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refusal:
        job_settings(parse([*NEEDED, option]))

    assert complaint in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--postgres=nonsense", "postgres: not a data source name; give one like postgresql://user@host/database"),
        ("--queue_endpoint=localhost", "queue_endpoint 'localhost': give a URL like http://127.0.0.1:9324"),
        ("--queue=not a queue", "queue 'not a queue': give a queue's URL or its name"),
    ],
)
def test_a_wrong_value_is_named_by_its_option_and_not_by_the_parameter_of_the_api(option: str, line: str) -> None:
    with pytest.raises(UsageError) as refusal:
        job_settings(parse([*NEEDED, option]))

    assert str(refusal.value) == line


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(UsageError) as refusal:
        job_settings(parse([]))

    assert str(refusal.value) == (
        "queue, postgres, keyset: missing; give --queue (or MASKLINE_QUEUE) and --postgres (or MASKLINE_POSTGRES) and "
        "--keyset (or MASKLINE_KEYSET)"
    )


def test_a_variable_that_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(UsageError, match="MASKLINE_UNTIL_EMPTY is 'maybe'; it must be true or false"):
        parse(NEEDED, {"MASKLINE_UNTIL_EMPTY": "maybe"})
