"""Logging: one event a line, as JSON on standard error, quiet by default."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from maskline.errors import MasklineError
from maskline.logs import WIRE_LOGGERS, silence_wire_logging
from maskline.pipeline.tracebacks import is_traceback_of_ours

LEVELS = ("debug", "info", "warning", "error")
PROGRESS_LOGGER = "maskline.progress"


def configure_logging(level: str = "warning", stream: TextIO | None = None) -> None:
    """Send every log record to a stream, one JSON object a line.

    Call it before Beam is imported: Beam logs on import, and then sets up logging of its own.

    Args:
        level: The lowest level to show, one of `LEVELS`.
        stream: Where to; standard error if None.
    """
    from pythonjsonlogger.json import JsonFormatter  # an extra brings it, and --help and --version do without

    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "message": "event"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    handler.addFilter(_is_ours_to_show)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger(PROGRESS_LOGGER).setLevel(logging.INFO)
    for name in WIRE_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    silence_wire_logging()


def _is_ours_to_show(record: logging.LogRecord) -> bool:
    """Leave out what tells an operator nothing.

    That is an optional package that Beam misses, Prism's starts and stops, and the traceback of an error that the
    command line will show as one clear line.
    """
    is_below_level = record.levelno < logging.getLogger(record.name).getEffectiveLevel()  # set late, by Prism's relay
    is_missing_package = record.name == "root" and "apitools not found" in record.getMessage()
    # Options that only the job server knows are passed on to it.
    is_passed_on = record.name == "apache_beam.options.pipeline_options" and "Unparseable" in record.getMessage()
    is_service_life = record.name == "apache_beam.utils.subprocess_server" and record.levelno <= logging.WARNING
    is_ours = record.exc_info is not None and isinstance(record.exc_info[1], MasklineError)
    is_shown_later = is_ours or is_traceback_of_ours(record.getMessage())
    return not (is_below_level or is_missing_package or is_passed_on or is_service_life or is_shown_later)
