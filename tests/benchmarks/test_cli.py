"""The command line: errors are one line, and what cannot be measured is said before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmarks.servers.elasticmq
from benchmarks.cli import COMMANDS, main


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    output = capsys.readouterr().out
    assert all(f"  {command} " in output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])

    assert f"python -m benchmarks {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["through"], "command 'through' is not known; did you mean throughput?"),
        (["throughput", "--messages", "0"], "'0': give a whole number, 1 or more"),
        (["throughput", "--sqs", "aws"], "sqs 'aws' is not known; known: elasticmq, stub"),
        (
            ["throughput", "--distance_milliseconds", "10"],
            "distance_milliseconds is 10: elasticmq is where it is; give --sqs stub, too",
        ),
        (["compare", "--peer", "bento run"], "peer 'bento run': give NAME=PROGRAM"),
        (["compare", "--queues", "far"], "queues: 'far' is neither elasticmq nor a whole number of milliseconds"),
        (["cost", "--assumptions", "none.toml"], "assumptions none.toml: "),
    ],
)
def test_a_wrong_use_is_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2

    errors = capsys.readouterr().err
    assert errors.startswith(f"benchmarks: {complaint}")
    assert errors.count("\n") == 1


def test_without_java_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")

    assert main(["throughput"]) == 2

    assert capsys.readouterr().err == (
        "benchmarks: ElasticMQ needs Java, and there is no java on the PATH; install Java 11 or later\n"
    )


def test_without_elasticmq_it_says_how_to_fetch_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "java").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(benchmarks.servers.elasticmq, "ELASTICMQ", tmp_path / "nowhere")

    assert main(["throughput"]) == 2

    assert "where Maven is installed, benchmarks/servers/fetch_elasticmq.sh fetches it" in capsys.readouterr().err
