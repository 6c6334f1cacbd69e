"""The commands that measure, from end to end and small; what they measured is nobody's business here."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.results import Result

pytestmark = pytest.mark.slow

MOVER = """
import json, os, signal, sys
from maskline.postgres.connection import open_connection, transaction
from maskline.records import Receipt
from maskline.sqs import QueueAddress, SqsQueue

queue = SqsQueue.open(QueueAddress(os.environ["QUEUE_URL"], os.environ["SQS_ENDPOINT"]))
database = open_connection(os.environ["POSTGRES_URL"])
while True:
    messages = queue.receive(10, 1, 60)
    with transaction(database) as cursor:
        for message in messages:
            cursor.execute("INSERT INTO user_logins (user_id) VALUES (%s)", [json.loads(message.body)["user_id"]])
    queue.delete([Receipt(message.message_id, message.receipt_handle) for message in messages])
"""


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the results go, in place of the repository."""
    monkeypatch.setattr("benchmarks.results.Result.write.__defaults__", (tmp_path,))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["throughput", "--sqs=stub", "--messages=300", "--runs=2", "--", "--micro_batch_size=100"], 3),
        (["latency", "--sqs=stub", "--rate=50", "--seconds=1", "--warm_up_seconds=1"], 1),
        (["memory", "--sqs=stub", "--messages=300"], 10),
        (["stages", "--sqs=stub", "--messages=300", "--runs=1"], 7),
        (["workers", "--sqs=stub", "--values", "2"], 1),
        (["inserts", "--rows=300", "--values", "100", "--repeat=1"], 3),
        (["rows", "--values", "1000", "--after_checkpoint=500"], 1),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_measures_and_writes_its_result(arguments: list[str], rows: int, results: Path) -> None:
    assert main(arguments) == 0

    result = Result.read(results / f"{arguments[0]}.json")
    assert len(result.rows) == rows
    assert all(len(row) == len(result.columns) for row in result.rows)


@pytest.mark.parametrize("arguments", [["throughput", "--messages=300", "--runs=1"], ["latency", "--seconds=1"]])
def test_another_program_is_measured_in_place_of_the_job(arguments: list[str], results: Path, tmp_path: Path) -> None:
    program = tmp_path / "mover.py"
    program.write_text(MOVER)
    command = shlex.join([sys.executable, str(program)])

    assert main([*arguments, "--sqs=stub", "--label=a loop", "--name=other", "--command", command]) == 0

    assert "a loop" in Result.read(results / "other.json").title


def test_the_job_is_compared_with_another_program(results: Path, tmp_path: Path) -> None:
    program = tmp_path / "mover.py"
    program.write_text(MOVER)
    peer = f"a loop={shlex.join([sys.executable, str(program)])}"

    assert main(["compare", "--queues=5", "--messages=300", "--runs=1", "--peer", peer]) == 0

    compared, targets = Result.read(results / "comparison.json"), Result.read(results / "comparison_targets.json")
    assert [row[:2] for row in compared.rows] == [
        ["5 ms", "maskline"],
        ["5 ms", "maskline, 2 processes"],
        ["5 ms", "a loop"],
    ]
    assert [row[0] for row in targets.rows] == [
        "rows/s",
        "CPU of one message more",
        "CPU with the start",
        "rows/s of 2 processes",
        "start to first row",
        "memory, one process",
        "memory, 2 processes (PSS)",
    ]


def test_a_program_that_fails_is_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["throughput", "--sqs=stub", "--messages=10", "--command", "sh -c 'echo out of luck; exit 3'"]) == 1

    assert capsys.readouterr().err.startswith(
        "benchmarks: the program that is measured: it ended with exit code 3; it said last: out of luck"
    )
