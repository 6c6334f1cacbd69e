"""Every command that README.md and docs/ show in a block is run: here one after another, or by a test that is named.

What cannot be run is in one table, with the reason; a command that is new is run, or fails until it is there.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from maskline.keys import open_keyset
from maskline.keys.providers import keyset_provider
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from maskline.sqs import QueueAddress
from tests.aws_emulation import EmulatedAws
from tests.documents import typed_commands
from tests.e2e.conftest import WRONG_TYPE, login
from tests.e2e.job_process import PROJECT
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, run, value_of

PAGES = {page.name: page.read_text() for page in (PROJECT / "docs").glob("*.md")}
PAGES["/README.md"] = (PROJECT / "README.md").read_text()

SESSION = ("first-steps.md", "lake.md", "keys.md", "deploying.md", "operations.md")
"""The pages whose commands are run here, in this order, on one queue, database, keyset and lake."""

RUN_BY = {
    ("/README.md", "bash"): "tests/test_readme.py",
    ("erasure.md", "bash"): "tests/test_erasure_manual.py",
    ("streams.md", "console"): "tests/test_streams_manual.py",
}
"""The blocks that another test runs as they stand, in processes of their own."""

NOT_RUN = {
    # Of other tests
    "./run_local.sh": "tests/install, with a package index; .ci/run",
    "./run_flink.sh": "tests/flink/test_local.py",
    "./run_tests.sh": "it is what runs this test",
    "./install.sh": "it made the environment of this test",
    "mkdocs build": "tests/manual/test_site.py",
    "python -m tests.faults": "half an hour; tests/faults runs each scenario",
    "python -m benchmarks": "they measure, for hours; tests/benchmarks, and tests/test_manual.py parses each",
    "benchmarks/servers/fetch_elasticmq.sh": "downloads; .ci/run",
    "deploy/flink/fetch.sh": "downloads; .ci/run",
    # The shell's own
    "source .venv/bin/activate": "a test has the environment of its own",
    "export": "a test has queues and databases of its own",
    "cd orders": "the next command is not run",
    # A package index, and folders of the system
    "pip install": "a package index; tests/install",
    "python -m venv /opt/beam": "a package index; tests/flink/test_environments.py does it elsewhere",
    "/opt/beam/python/bin/pip": "as above",
    "GOBIN=/opt/beam go install": "as above, by Go's proxy",
    "cp deploy/flink/start_worker.sh": "as above",
    "$WORKER_PYTHON/python": "tests/flink/test_environments.py starts the pool",
    "python3.11 -m venv /opt/maskline": "a folder of the system; tests/deploy/test_systemd.py holds the unit",
    "/opt/maskline/bin/pip": "as above",
    "install -m": "as above",
    "systemctl": "needs systemd as the first process",
    # A cluster
    "/opt/flink/pyflink/bin": "tests/flink starts a cluster so",
    "PATH=/opt/maskline": "tests/flink starts the pool so",
    "flink": "tests/flink/test_checkpoints.py asks Flink's REST API for the same",
    "maskline run --keyset 'aws-kms://KEY_ARN": "a cluster; tests/flink and tests/dataflow submit jobs",
    "maskline run … --runner=FlinkRunner": "a cluster; tests/flink/test_checkpoints.py",
    "maskline run --runner=FlinkRunner": "a cluster; tests/flink/test_environments.py",
    # Clouds and tools that are not here
    "docker": "needs a Docker daemon; tests/deploy/test_image_built.py builds with buildah",
    "helm": "needs a cluster; tests/deploy/test_helm.py renders the chart",
    "kubectl": "needs a cluster",
    "aws": "needs an account; tests/deploy/test_ecs.py holds the inputs against the API's models",
    "terraform": "needs an account; tests/deploy/test_terraform.py",
    "gcloud": "needs an account; tests/e2e/test_dataflow_launcher.py runs the launcher's file",
    "PGPASSWORD=": "needs Google's Secret Manager",
    "exec /opt/apache/beam/boot": "needs Beam's image",
    "pyspark": "needs Spark; run once by hand, as the page says",
}
"""The beginnings of commands that are not run, each with the reason or with the test that runs the same."""

NAMES_ALONE = {
    "maskline keys disable": "takes a key's id",
    "maskline unmask": "takes a column",
    "maskline lake publish": "takes a copy",
}
"""What operations.md names without what it takes; each is run for another page."""


def shown() -> Iterator[tuple[str, str, str]]:
    """Return each command with its page and the language of its block; of operations.md those in sentences."""
    for page, text in PAGES.items():
        for language, block in re.findall(r"^```(console|bash|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield from ((page, language, command) for command in typed_commands(block))
    named = re.findall(r"`(maskline [a-z][^`]+)`", PAGES["operations.md"])
    yield from (
        ("operations.md", "sentence", command) for command in dict.fromkeys(" ".join(each.split()) for each in named)
    )


def is_run_here(page: str, language: str, command: str) -> bool:
    """Say whether a command is run by the test below."""
    is_run_elsewhere = (page, language) in RUN_BY or command in NAMES_ALONE
    return not is_run_elsewhere and not command.startswith(tuple(NOT_RUN))


def test_every_command_is_run_or_named_with_a_reason() -> None:
    neither = [
        f"{page}: {command}"
        for page, language, command in shown()
        if is_run_here(page, language, command) and page not in SESSION
    ]

    assert neither == []


def test_every_reason_is_of_a_command_that_is_shown() -> None:
    commands = [command for page, language, command in shown() if (page, language) not in RUN_BY]

    assert [beginning for beginning in NOT_RUN if not any(each.startswith(beginning) for each in commands)] == []
    assert NAMES_ALONE.keys() - set(commands) == set()


@pytest.mark.parametrize(("place", "test"), RUN_BY.items(), ids=lambda each: str(each))
def test_the_tests_that_run_a_page_read_its_blocks(place: tuple[str, str], test: str) -> None:
    page, language = place
    text = (PROJECT / test).read_text()

    assert page.removeprefix("/") in text
    assert f'"{language}")' in text


@pytest.mark.slow
def test_the_commands_of_the_manual_run_one_after_another(
    aws: EmulatedAws,
    queue_address: QueueAddress,
    dsn: str,
    database: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    user = _User(aws, queue_address, dsn, database, tmp_path, monkeypatch)
    pages = sorted(
        (each for each in shown() if each[0] in SESSION and is_run_here(*each)), key=lambda each: SESSION.index(each[0])
    )

    failed = []
    for page, _, command in pages:
        exit_code = user.type(command)
        printed = capsys.readouterr()
        if exit_code:
            failed.append(f"{page}: {command}: {exit_code}: {printed.out[-300:]}{printed.err[-300:]}")

    assert len(pages) > 30
    assert failed == []


class _User:
    """Somebody who types what the manual shows, in a folder and on parts of their own.

    Args:
        aws: Where keys, buckets and secrets are.
        queue: The queue; nobody sends to it.
        dsn: A migrated database.
        database: A connection to it.
        folder: An empty folder, in which the user stands.
        monkeypatch: Sets variables, and what is on standard input.
    """

    def __init__(
        self,
        aws: EmulatedAws,
        queue: QueueAddress,
        dsn: str,
        database: Connection,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self._database = database
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        variables = {
            "MASKLINE_QUEUE": queue.queue,
            "MASKLINE_QUEUE_ENDPOINT": str(queue.endpoint),
            "MASKLINE_POSTGRES": dsn,
            "MASKLINE_KEYSET": "file:keyset.json",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert main(["keys", "create"]) == 0
        self._old_key = open_keyset(keyset_provider("file:keyset.json").fetch()).primary_key_id
        keyset = open_keyset(keyset_provider("file:keyset.json").fetch())
        write_masked(dsn, keyset, [login(1), login(2), login(3), WRONG_TYPE])
        ((token, user_id),) = rows_of(database, "SELECT masked_ip, user_id FROM user_logins LIMIT 1")
        Path("messages.jsonl").write_text(f"{login(1)}\n{login(2)}\n")
        Path("addresses.txt").write_text("198.51.0.1\n")
        Path("persons.txt").write_text(f"{json.loads(login(3))['user_id']}\n")
        bucket, key = aws.create_bucket(), aws.create_kms_key()
        self._places: dict[str, Callable[[], str]] = {
            "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/ID?": lambda: f"aws-kms://{key}?",
            "aws-kms://KEY_ARN": lambda: f"aws-kms://{key}",
            "s3://keys/": lambda: f"s3://{bucket}/",
            "postgresql://remasker@db.example.com/logins": lambda: dsn,
            "s3://lake/opaque": lambda: "lake/opaque",
            "AQ…": lambda: str(token),
            "424cdd21": lambda: str(user_id),
            "1024458818": lambda: str(self._old_key),
            "1654301881": lambda: str(self._new_key()),
            "MESSAGE_ID": lambda: str(value_of(database, "SELECT message_id FROM rejected_messages LIMIT 1")),
        }

    def type(self, command: str) -> int:
        """Run a command as a shell would, and return its exit code."""
        for shown_place, place in self._places.items():
            if shown_place in command:
                command = command.replace(shown_place, place())
        if command.startswith("maskline keys destroy"):
            self._let_an_hour_pass()
        first, _, last = command.rpartition(" | ")
        typed_in = shlex.split(first)[-1] + "\n" if first else ""
        arguments, redirected = _without_redirections(shlex.split(last))
        if "<" in redirected:
            typed_in = Path(redirected["<"]).read_text()
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed_in))
        assert arguments[0] == "maskline", command
        try:
            return main(arguments[1:])
        except SystemExit as leaving:
            return int(leaving.code or 0)

    def _new_key(self) -> int:
        (new,) = open_keyset(keyset_provider("file:keyset.json").fetch()).key_ids - {self._old_key}
        return new

    def _let_an_hour_pass(self) -> None:
        """Have the last use of every key be long ago, as it is when a key is destroyed."""
        for table in ("maskline_keys", "maskline_key_writers"):
            run(self._database, f"UPDATE {table} SET last_written = now() - interval '2 hours'")


def _without_redirections(words: list[str]) -> tuple[list[str], Mapping[str, str]]:
    redirected = {word: words[place + 1] for place, word in enumerate(words) if word in ("<", ">")}
    return [word for word in words if word not in (*redirected, *redirected.values())], redirected
