"""The command line: finds the command, and turns every error a user can cause into one line and an exit code."""

from __future__ import annotations

import codecs
import contextlib
import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from maskline.core_dumps import forbid_core_dumps
from maskline.errors import MasklineError, StopTimedOutError
from maskline.extras import missing_extra
from maskline.pipeline.command_parser import open_command
from maskline.pipeline.garbage_collection import gc_paused
from maskline.pipeline.help_pages import help_page
from maskline.pipeline.help_text import paragraph, summaries
from maskline.pipeline.logs import EXIT_CODE_FIELD, configure_logging
from maskline.pipeline.printing import is_error_terminal, notice, notice_former_name, report_failure
from maskline.pipeline.program import program_name
from maskline.pipeline.remedies import with_remedy
from maskline.pipeline.standard_streams import open_missing_streams
from maskline.pipeline.stopping import (
    STOPPED_EXIT_CODE,
    close_standard_error,
    end_process,
    interrupted_by_sigterm,
    leave_process,
)

COMMAND_GROUPS = {
    "Try it": {
        "local": "an embedded queue and database, sample messages, and the job",
        "init": "a folder to begin a stream of your own with, drafted from a file of its messages",
        "flink": "the same on a Flink cluster on this machine",
    },
    "Run it": {
        "streams": "draft, try and test definitions of streams, and make their tables",
        "ddl": "print the table that a stream needs, as streams ddl does",
        "migrate": "bring the database to what the job needs, or back",
        "check": "check queue, database and keyset, and take no message",
        "run": "run the job",
    },
    "Look after the data": {
        "rejects": "list, show and send back rejected messages",
        "unmask": "recover personal data from tokens",
        "find": "find the rows of values that you know",
        "mask": "print the tokens of values that you know",
        "erase": "forget a person, in the database and in the lake",
        "retain": "delete rows, rejections and log entries that are older than they may be",
        "leakage": "measure what the tokens of a column give away",
    },
    "Keys": {
        "keys": "make, change, encrypt, share and list keysets",
        "remask": "bring the tokens of older keys under the primary key",
    },
    "Data lake": {
        "lake": "publish rows as tokens and in clear, compare the copies with the table, keep them in order",
    },
}
COMMANDS = {name: summary for commands in COMMAND_GROUPS.values() for name, summary in commands.items()}
"""The commands, each in a module of its own in `maskline.pipeline.commands`; it is imported only when it runs."""

FORMER_COMMANDS = {"publish": ("lake", "publish")}

_EXTRAS = {"run": "beam", "local": "local", "flink": "local", "publish": "lake", "lake": "lake"}
"""The extra that brings all that a command needs, where it is not ``cli``."""

_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

logger = logging.getLogger("maskline")


def run() -> NoReturn:
    """Run the command line of this process: ``maskline``, once it is installed. A SIGTERM does what Ctrl-C does."""
    forbid_core_dumps()
    open_missing_streams()
    with interrupted_by_sigterm():
        exit_code = main(sys.argv[1:])
    if exit_code:
        close_standard_error()
    if "apache_beam" in sys.modules:
        leave_process(exit_code)
    sys.exit(exit_code)


def main(arguments: Sequence[str]) -> int:
    """Run a command.

    Args:
        arguments: The command line without the program.

    Returns:
        The exit code: 0 for success, 1 for a failure, 2 for a wrong use or set-up, 75 for a part that does not answer
        now, 130 for an interrupt. The last line on standard error says why: on a terminal as it is, elsewhere as a log
        record of level ERROR.
    """
    try:
        return _run_command(arguments)
    except ModuleNotFoundError as error:
        name = arguments[0]
        missing = missing_extra(error, f"the command {name}", _EXTRAS.get(name, "cli"))
        if missing is None:
            raise
        report_failure(str(missing), missing.exit_code)
        return missing.exit_code
    except MasklineError as error:
        report_failure(with_remedy(error), error.exit_code)
        if isinstance(error, StopTimedOutError):
            end_process(error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        report_failure("interrupted", STOPPED_EXIT_CODE)
        return STOPPED_EXIT_CODE
    except UnicodeEncodeError as error:
        if not _is_encoding_of_output(error.encoding):
            return _report_defect(error)
        _drop_output()
        report_failure(f"standard output: its encoding, {error.encoding}, lacks a character; set PYTHONUTF8=1", 2)
        return 2
    except BrokenPipeError:  # the reader of our output, head say, has gone
        _drop_output()
        return 1
    except OSError as error:
        if error.errno not in _DISK_IS_FULL:
            return _report_defect(error)
        if error.filename is None:
            _drop_output()
        what = error.filename or "standard output, or a temporary file,"
        report_failure(f"{what} cannot be written ({error.strerror}); make room, and run it again", 1)
        return 1
    except Exception as error:
        return _report_defect(error)


def _report_defect(error: Exception) -> int:
    """Say that maskline itself is wrong somewhere; a log's reader finds one record, and no lines of a traceback."""
    if is_error_terminal():
        raise error
    logger.error("a defect of maskline: %s", type(error).__name__, exc_info=True, extra={EXIT_CODE_FIELD: 1})
    return 1


def _is_encoding_of_output(encoding: str) -> bool:
    return codecs.lookup(encoding) == codecs.lookup(sys.stdout.encoding or "utf-8") != codecs.lookup("utf-8")


def _drop_output() -> None:
    """Have what is still to be written to standard output go nowhere; Python would complain of it while it exits."""
    with contextlib.suppress(OSError, ValueError):  # it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run_command(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())  # noqa: T201
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from maskline.pipeline.versions import format_versions

        print(format_versions())  # noqa: T201
        return 0
    if arguments[-1] in ("-h", "--help") and not any(name.startswith("MASKLINE_") for name in os.environ):
        page = help_page(arguments[:-1])
        if page is not None:
            print(page, end="")  # noqa: T201
            raise SystemExit(0)  # as a parser does
    # Here, for they take what a job does, tink, boto3 and libpq among it, and the help above is to be there at once.
    with gc_paused():
        from maskline.pipeline.options import Options
        from maskline.pipeline.variables import unknown_variables
        from maskline.postgres.interruption import interruptible_queries

    configure_logging()
    for sentence in unknown_variables(os.environ, arguments):
        notice(sentence)
    if arguments[0] in FORMER_COMMANDS:
        current = FORMER_COMMANDS[arguments[0]]
        notice_former_name(arguments[0], " ".join(current))
        arguments = [*current, *arguments[1:]]
    name, *rest = arguments
    command, parser = open_command("maskline.pipeline", program_name(), name, COMMANDS)
    Options(parser).add_log_level()
    command.add_options(parser)
    parser.passes_unknown = getattr(command, "TAKES_BEAM_OPTIONS", False)
    parsed, unparsed = parser.parse_known_args(rest)
    configure_logging(parsed.log_level)
    # A job has deadlines of its own, and threads that wait without this one.
    runs_job = getattr(command, "TAKES_BEAM_OPTIONS", False)
    with contextlib.nullcontext() if runs_job else interruptible_queries():
        exit_code: int = command.main(parsed, unparsed)
    sys.stdout.flush()  # here, where what goes wrong with it is still told
    return exit_code


def _help() -> str:
    width = max(map(len, COMMANDS))
    groups = (
        line for group, commands in COMMAND_GROUPS.items() for line in ("", f"{group}:", *summaries(commands, width))
    )
    return "\n".join(
        [
            f"usage: {program_name()} COMMAND [options]",
            "",
            "Masks personal data on its way from SQS to Postgres.",
            *groups,
            "",
            paragraph(
                f"{program_name()} COMMAND --help says more. Every option can be given by an environment variable, "
                "too: MASKLINE_POSTGRES for --postgres, and so on."
            ),
        ]
    )
