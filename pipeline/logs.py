"""Logging: one event a line, as JSON on standard error, quiet by default."""

from __future__ import annotations

import logging
import socket
import sys
from typing import TYPE_CHECKING, TextIO

from maskline import __version__
from maskline.errors import MasklineError
from maskline.logs import WIRE_LOGGERS, silence_wire_logging
from maskline.pipeline.tracebacks import is_traceback_of_ours

if TYPE_CHECKING:
    from rich.console import Console

LEVELS = ("debug", "info", "warning", "error")
PROGRESS_LOGGER = "maskline.progress"
"""The logger of what is shown at every level: that a job starts, and how far it is."""

_NOISY_LOGGERS = ("apache_beam", "boto3", "botocore")
"""Those whose ``info`` is for who debugs them."""

_MISSING_PACKAGES = ("apitools not found", "Could not find a compatible bson package")
"""How Beam complains of optional packages that it finds missing when it is imported."""

_COMPLAINING_LOGGERS = ("root", "apache_beam.io.mongodbio")
"""Those by which it does."""

EXIT_CODE_FIELD = "exit_code"
"""The field of the record that says why the program ends, which only that one has."""

_run_fields: dict[str, str] = {}


def configure_logging(level: str = "warning", stream: TextIO | None = None) -> None:
    """Send every log record to a stream, one JSON object a line, with host, process and version.

    The record that has an exit code is the last: it says why the program ends.

    Call it before Beam is imported: Beam logs on import, and then sets up logging of its own.

    Args:
        level: The lowest level to show, one of `LEVELS`.
        stream: Where to; standard error if None.
    """
    from pythonjsonlogger.json import JsonFormatter  # an extra brings it, and --help and --version do without

    handler = _HandlerToTheLastWord(stream or sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(process)d",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "message": "event"},
            static_fields={"host": socket.gethostname(), "version": __version__},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            json_ensure_ascii=False,
        )
    )
    hide_missing_packages()
    handler.addFilter(_is_ours_to_show)
    handler.addFilter(_with_run_fields)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger(PROGRESS_LOGGER).setLevel(logging.INFO)
    for name in (*_NOISY_LOGGERS, *WIRE_LOGGERS):
        is_noise = level == "info" and name in _NOISY_LOGGERS
        logging.getLogger(name).setLevel(logging.WARNING if is_noise else logging.NOTSET)
    silence_wire_logging()


def hide_missing_packages() -> None:
    """Have Beam, when it is imported, not complain of packages that only parts of it need which a job does not use.

    `configure_logging` does so. Call it before Beam is imported where a program sets up no logging of its own.
    """
    for name in _COMPLAINING_LOGGERS:
        logging.getLogger(name).addFilter(_is_no_missing_package)


def name_run_in_logs(stream: str, queue: str) -> None:
    """Have every log record of this process say whose it is.

    Args:
        stream: The name of the stream.
        queue: The name of the queue.
    """
    _run_fields.update(stream=stream, queue=queue)


def announce(sentence: str, console: Console) -> None:
    """Say something that everybody who starts a job should know: on a terminal as it is, elsewhere as a log record.

    Args:
        sentence: What to say.
        console: The terminal, or what stands in its place.
    """
    if console.is_terminal:
        console.print(sentence, highlight=False, soft_wrap=True, markup=False)
    else:
        logging.getLogger(PROGRESS_LOGGER).info(sentence)


class _HandlerToTheLastWord(logging.StreamHandler[TextIO]):
    """Writes records until one says why the program ends.

    Threads of a runner and of gRPC log then, at the same level, what the end has taken from under them.
    """

    _is_at_its_end = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. The caller holds the handler's lock, so none slips in behind the last."""
        if self._is_at_its_end:
            return
        super().emit(record)
        self._is_at_its_end = hasattr(record, EXIT_CODE_FIELD)


def _with_run_fields(record: logging.LogRecord) -> bool:
    for name, value in _run_fields.items():
        setattr(record, name, value)
    return True


def _is_no_missing_package(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_MISSING_PACKAGES)


def _is_ours_to_show(record: logging.LogRecord) -> bool:
    """Leave out what tells an operator nothing.

    That is Prism's starts and stops, the traceback of an error that the command line will show as one clear line, and
    at ``info`` what others than maskline say there: Flink's job server, by way of Beam and of the root logger, says
    hundreds of lines.
    """
    is_below_level = record.levelno < logging.getLogger(record.name).getEffectiveLevel()  # set late, by Prism's relay
    # Options that only the job server knows are passed on to it.
    is_passed_on = record.name == "apache_beam.options.pipeline_options" and "Unparseable" in record.getMessage()
    is_service_life = record.name == "apache_beam.utils.subprocess_server" and record.levelno <= logging.WARNING
    is_ours = record.exc_info is not None and isinstance(record.exc_info[1], MasklineError)
    is_shown_later = is_ours or is_traceback_of_ours(record.getMessage())
    is_for_debugging = record.levelno <= logging.INFO and not record.name.startswith("maskline")
    is_noise = is_for_debugging and logging.getLogger().level == logging.INFO
    return not (is_below_level or is_passed_on or is_service_life or is_shown_later or is_noise)
