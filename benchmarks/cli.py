"""The command line of the benchmarks; errors and exit codes are those of ``python -m pipeline``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from maskline.errors import MasklineError
from maskline.pipeline.command_parser import open_command
from maskline.pipeline.help_text import summaries
from maskline.pipeline.logs import configure_logging

COMMANDS = {
    "all": "all that docs/performance.md shows, one after another, and put it there",
    "throughput": "messages per second, CPU, memory and time to the first row, of the job or of any other program",
    "compare": "the job beside other programs, near the queue and far from it, and which targets are met",
    "latency": "from the send of a message to its visible row, at a steady rate",
    "memory": "resident memory over half a million messages",
    "stages": "CPU per message of each stage of the job, and of Beam around them",
    "masks": "CPU of a value by mask, and by rule of what equal means",
    "queue": "receiving and deleting by themselves, over the distance of the queue",
    "requests": "requests to SQS for each message, over the rate of messages",
    "backlog": "throughput over the length of the queue",
    "message_size": "throughput over the size of a message",
    "batch_size": "throughput over --micro_batch_size",
    "pollers": "throughput over --pollers, on Prism",
    "processes": "throughput over --processes",
    "workers": "throughput over the number of jobs on one queue",
    "flink": "throughput over the parallelism on Flink",
    "inserts": "what the insert costs with the ledger, and with a unique index in its place",
    "rows": "bytes of a row in the table, its indexes and the log",
    "cost": "what a stream costs on AWS, by the formula of docs/scaling.md",
    "report": "put the results into docs/performance.md and docs/masking.md, and draw their curves",
}
"""The commands, each in a module of its own in `benchmarks.commands`, imported only when it runs."""


def main(arguments: Sequence[str]) -> int:
    """Run a command.

    Args:
        arguments: The command line without the program. What stands behind ``--`` are options of the job.

    Returns:
        The exit code: 0 for success, 1 for a failure, 2 for a wrong use or set-up, 130 for an interrupt.
    """
    # What was started is stopped on the way out, at a SIGTERM, too.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return _run_command(arguments)
    except MasklineError as error:
        print(f"benchmarks: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_command(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())  # noqa: T201
        return 0 if arguments else 2
    name, *rest = arguments
    configure_logging()
    command, parser = open_command("benchmarks", "python -m benchmarks", name, COMMANDS)
    command.add_options(parser)
    ours, job_options = _split(rest)
    parsed = parser.parse_args(ours)
    parsed.job_options = tuple(job_options)
    exit_code: int = command.main(parsed)
    return exit_code


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    if "--" not in arguments:
        return arguments, ()
    place = list(arguments).index("--")
    return arguments[:place], arguments[place + 1 :]


def _help() -> str:
    return "\n".join(
        [
            "usage: python -m benchmarks COMMAND [options] [-- OPTIONS OF THE JOB]",
            "",
            "Measures the job against a queue and a database on this machine.",
            "",
            *summaries(COMMANDS),
            "",
            "Each that measures prints a table and writes it to benchmarks/results.",
            "python -m benchmarks COMMAND --help says more.",
        ]
    )
