"""Measuring all: everything in order, each as a reader would, and nothing behind a failure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pytest

from benchmarks.cli import COMMANDS
from benchmarks.commands.all import MEASUREMENTS, main
from maskline.errors import MasklineError
from maskline.pipeline.command_parser import open_command

PEERS = ["Bento, 8 inputs=bento run bento.yaml", "Bento, 32 inputs=bento run other.yaml"]


class Runs:
    """Takes benchmarks for run.

    Args:
        failing: The one that fails.
    """

    def __init__(self, failing: str = "") -> None:
        self.ran: list[list[str]] = []
        self._failing = failing

    def __call__(self, benchmark: Sequence[str]) -> int:
        self.ran.append(list(benchmark))
        return 1 if benchmark[0] == self._failing else 0


def test_peers_are_measured_first_and_the_documents_written_last() -> None:
    runs = Runs()

    assert main(argparse.Namespace(peer=PEERS), runs) == 0

    assert runs.ran[:2] == [
        ["compare", f"--peer={PEERS[0]}", f"--peer={PEERS[1]}"],
        ["latency", "--name=latency_peer", "--label=Bento, 8 inputs", "--command=bento run bento.yaml"],
    ]
    assert runs.ran[2:-1] == [list(each) for each in MEASUREMENTS]
    assert runs.ran[-1] == ["report"]


def test_nothing_is_measured_or_written_behind_a_failure() -> None:
    runs = Runs(failing="latency")

    with pytest.raises(MasklineError, match=r"^latency failed with exit code 1"):
        main(argparse.Namespace(peer=[]), runs)

    assert [name for name, *_ in runs.ran] == ["throughput", "latency"]


@pytest.mark.parametrize("benchmark", MEASUREMENTS, ids=lambda benchmark: str(benchmark[0]))
def test_each_benchmark_takes_the_options_that_it_is_run_with(benchmark: tuple[str, ...]) -> None:
    name, *options = benchmark
    command, parser = open_command("benchmarks", "python -m benchmarks", name, COMMANDS)
    command.add_options(parser)

    parser.parse_args(options)
