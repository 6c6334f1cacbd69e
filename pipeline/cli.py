"""The command line: finds the command, and turns every error a user can cause into one line and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from maskline.errors import MasklineError, StopTimedOutError, UsageError
from maskline.pipeline.command_parser import open_command, summaries
from maskline.pipeline.logs import LEVELS, configure_logging
from maskline.pipeline.stopping import end_process
from maskline.postgres.interruption import interruptible_queries

COMMANDS = {
    "local": "try it: an embedded queue and database, sample messages, and the job",
    "flink": "try it on Flink: the same on a Flink cluster on this machine",
    "run": "run the job",
    "check": "check queue, database and keyset, and take no message",
    "migrate": "bring the database to what the job needs, or back",
    "ddl": "print the table that a stream needs",
    "keys": "make, change, encrypt, share and list keysets",
    "remask": "bring the tokens of older keys under the primary key",
    "leakage": "measure what the tokens of a column give away",
    "rejects": "list, show and send back rejected messages",
    "unmask": "recover personal data from tokens",
    "publish": "publish rows to the data lake, as tokens and in clear",
    "lake": "look after the copies in the data lake",
    "erase": "forget a person, in the database and in the lake",
}
"""The commands, each in a module of its own in `maskline.pipeline.commands`; it is imported only when it runs."""


def main(arguments: Sequence[str]) -> int:
    """Run a command.

    Args:
        arguments: The command line without the program.

    Returns:
        The exit code: 0 for success, 1 for a failure, 2 for a wrong use or set-up, 130 for an interrupt.
    """
    try:
        return _run_command(arguments)
    except MasklineError as error:
        print(f"maskline: {error}", file=sys.stderr)  # noqa: T201
        if isinstance(error, StopTimedOutError):
            end_process(error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        print("maskline: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        # The reader of our output, head say, has gone; Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run_command(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())  # noqa: T201
        return 0 if arguments else 2
    name, *rest = arguments
    configure_logging()
    command, parser = open_command("pipeline", name, COMMANDS)
    parser.add_argument("--log_level", choices=LEVELS, default="warning", help="what to log (%(default)s)")
    command.add_options(parser)
    parsed, unparsed = parser.parse_known_args(rest)
    if unparsed and not getattr(command, "TAKES_BEAM_OPTIONS", False):
        unknown = unparsed[0].partition("=")[0]
        raise UsageError(f"unknown option {unknown}; see: python -m pipeline {name} --help")
    configure_logging(parsed.log_level)
    # A job has deadlines of its own, and threads that wait without this one.
    runs_job = getattr(command, "TAKES_BEAM_OPTIONS", False)
    with contextlib.nullcontext() if runs_job else interruptible_queries():
        exit_code: int = command.main(parsed, unparsed)
    return exit_code


def _help() -> str:
    return "\n".join(
        [
            "usage: python -m pipeline COMMAND [options]",
            "",
            "Masks personal data on its way from SQS to Postgres.",
            "",
            *summaries(COMMANDS),
            "",
            "python -m pipeline COMMAND --help says more. Options can be given by environment variables, too:",
            "MASKLINE_POSTGRES for --postgres, and so on.",
        ]
    )
