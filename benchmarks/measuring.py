"""What the commands that measure share: their options, their progress, and the end of each."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.results import Result
from benchmarks.transfer import Transfer
from benchmarks.workbench import SQS_SERVERS
from maskline.errors import UsageError

WIDTH = 140
TRANSFER_COLUMNS = (
    "rows/s",
    "rows/s 10-90 %",
    "job CPU [µs]",
    "job CPU 10-90 % [µs]",
    "memory [MB]",
    "first row [s]",
    "SQS CPU [µs]",
    "Postgres CPU [µs]",
)


def add_sqs(parser: argparse.ArgumentParser, default: str = SQS_SERVERS[0]) -> None:
    """Add the option that chooses the queue's server."""
    parser.add_argument(
        "--sqs",
        choices=SQS_SERVERS,
        default=default,
        help="the queue's server: ElasticMQ, or a stub that answers at once (%(default)s)",
    )
    parser.add_argument(
        "--distance_milliseconds",
        type=int,
        default=0,
        metavar="N",
        help="how long an answer of the stub takes (%(default)s); SQS takes about 10 in its region",
    )


def shown_sqs(arguments: argparse.Namespace) -> str:
    """Return what a title calls the queue's server."""
    distance = arguments.distance_milliseconds
    return f"{arguments.sqs} at {distance} ms" if distance else str(arguments.sqs)


def add_count(parser: argparse.ArgumentParser, name: str, default: int, summary: str) -> None:
    """Add an option whose value is a whole number above 0."""
    parser.add_argument(f"--{name}", type=positive, default=default, metavar="N", help=f"{summary} (%(default)s)")


def add_name(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the option that names the result."""
    parser.add_argument("--name", default=default, help="the result's name, that of its file (%(default)s)")


def add_command(parser: argparse.ArgumentParser) -> None:
    """Add the option that has another program measured."""
    parser.add_argument(
        "--command",
        metavar="PROGRAM",
        help="what the shell runs in place of the job: any program that moves messages from the queue QUEUE_URL at "
        "SQS_ENDPOINT (AWS credentials and region are set) to rows of user_logins in POSTGRES_URL, and runs until "
        "SIGTERM",
    )
    parser.add_argument("--label", default="the job", help="what the table calls that program (%(default)s)")


def positive(text: str) -> int:
    """Return the whole number above 0 that an option gives.

    Raises:
        UsageError: The value is not a whole number above 0.
    """
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{text!r}: give a whole number, 1 or more")
    return int(text)


def progress_bars() -> Progress:
    """Return bars that show how far a benchmark is, where standard error is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def transfer_cells(transfer: Transfer) -> list[float]:
    """Return the figures of a transfer, as `TRANSFER_COLUMNS` names them."""
    return [
        transfer.messages_per_second,
        transfer.messages_per_second_10_to_90,
        transfer.cpu_microseconds,
        transfer.cpu_microseconds_10_to_90,
        transfer.peak_resident_megabytes,
        transfer.seconds_to_first_row,
        transfer.queue_cpu_seconds / transfer.messages * 1e6,
        transfer.postgres_cpu_seconds / transfer.messages * 1e6,
    ]


def wide_console() -> Console:
    """Return standard output, wide enough for a table where it is no terminal, which knows its width itself."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def finish(result: Result) -> int:
    """Print a result, write it, and return the exit code."""
    console = wide_console()
    console.print(result.table())
    console.print(f"Written to {result.write()}", soft_wrap=True)
    return 0
