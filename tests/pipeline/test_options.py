"""Every option has its check, and its environment variable."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from maskline.errors import UsageError
from maskline.pipeline.command_parser import CommandParser
from maskline.pipeline.options import Options, job_settings

NEEDED = ["--queue=logins", "--postgres=postgresql://writer@db/logins", "--keyset=env:KEYSET"]


def parse(arguments: list[str], environment: dict[str, str] | None = None) -> argparse.Namespace:
    parser = CommandParser(prog="program")
    Options(parser, environment or {}).add_job()
    return parser.parse_args(arguments)


def parse_one(environment: dict[str, str], arguments: list[str], **settings: Any) -> Any:
    """Return the value of an option ``--color``."""
    parser = CommandParser(prog="program")
    Options(parser, environment).add("color", "which color", **settings)
    return parser.parse_args(arguments).color


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


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ([], 5),
        (["--until_empty"], 1),
        (["--long_poll_seconds=20"], 20),
        (["--long_poll_seconds=0", "--until_empty"], 0),
    ],
)
def test_a_poll_of_an_idle_queue_lasts_as_long_as_was_said(given: list[str], seconds: int) -> None:
    job = job_settings(parse([*NEEDED, *given]))

    assert job.receive.long_poll_seconds == seconds


def test_how_the_database_is_logged_in_to_is_part_of_where_it_is() -> None:
    rds = "--postgres=postgresql://writer@logins.c9akciq32rgw.eu-central-1.rds.amazonaws.com/logins"

    by_password = job_settings(parse(NEEDED)).postgres
    over_tls = job_settings(parse([*NEEDED, "--require_tls"])).postgres
    by_token = job_settings(parse([*NEEDED, rds, "--postgres_auth=rds-iam"])).postgres

    assert (by_password.auth, by_password.requires_tls) == ("password", False)
    assert (over_tls.auth, over_tls.requires_tls) == ("password", True)
    assert (by_token.auth, by_token.requires_tls) == ("rds-iam", True)


def test_a_database_that_does_not_go_with_its_login_is_named_by_its_option() -> None:
    with pytest.raises(UsageError, match=r"^postgres: rds-iam takes the host of an RDS instance"):
        job_settings(parse([*NEEDED, "--postgres_auth=rds-iam"]))


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
        ("--stop_when_rejected=0", "stop_when_rejected is 0; it must be more than 0 and at most 100"),
        ("--stop_when_rejected=101", "stop_when_rejected is 101"),
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


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("MASKLINE_POLLERS", "two", "MASKLINE_POLLERS is 'two'; it must be a whole number"),
        ("MASKLINE_DB_RETRY_SECONDS", "long", "MASKLINE_DB_RETRY_SECONDS is 'long'; it must be a number"),
    ],
)
def test_a_variable_of_a_wrong_type_is_named(variable: str, value: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse(NEEDED, {variable: value})


def test_a_variable_has_to_be_among_the_choices_as_the_command_line_has() -> None:
    with pytest.raises(UsageError, match="MASKLINE_COLOR is 'grue'; it must be one of green, blue"):
        parse_one({"MASKLINE_COLOR": "grue"}, [], choices=["green", "blue"])


def test_a_variable_that_the_command_line_overrides_is_not_looked_at() -> None:
    assert parse_one({"MASKLINE_COLOR": "grue"}, ["--color=blue"], choices=["green", "blue"]) == "blue"


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert parse_one({"MASKLINE_COLOR": ""}, [], default="green") == "green"


def test_a_required_option_can_come_from_its_variable() -> None:
    assert parse_one({"MASKLINE_COLOR": "blue"}, [], required=True) == "blue"
    with pytest.raises(UsageError, match="color: missing; give --color"):
        parse_one({}, [], required=True)


@pytest.mark.parametrize("required", [True, False])
def test_an_option_is_taken_by_its_former_name_with_one_line_that_says_so(
    required: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse_one({}, ["--hue=blue"], former="hue", required=required) == "blue"

    assert capsys.readouterr().err == "maskline: --hue is now --color; the old name goes in the next release\n"


def test_a_variable_is_taken_by_its_former_name_with_one_line_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_one({"MASKLINE_HUE": "blue"}, [], former_variable="MASKLINE_HUE") == "blue"

    assert capsys.readouterr().err == (
        "maskline: MASKLINE_HUE is now MASKLINE_COLOR; the old name goes in the next release\n"
    )


def test_a_former_name_is_not_in_the_help() -> None:
    parser = CommandParser(prog="program")
    Options(parser, {}).add("color", "which color", former="hue")

    assert "--color COLOR" in parser.format_help()
    assert "hue" not in parser.format_help()
