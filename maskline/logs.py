"""What other libraries log, kept from saying too much."""

from __future__ import annotations

import logging

WIRE_LOGGERS = {
    **dict.fromkeys(("boto3", "botocore", "s3transfer", "urllib3"), logging.INFO),
    **dict.fromkeys(("google.auth", "msal"), logging.INFO),
    "azure": logging.WARNING,  # at INFO it has each request and answer, without bodies
}
"""Loggers that write whole requests and answers when asked for all they know, each with the lowest level it may use."""


def silence_wire_logging() -> None:
    """Have the loggers of clouds' libraries, and all below them, leave out whole requests and answers at any level.

    They would show clear messages, credentials and plaintexts of keys. A cluster's worker sets levels of its own, at
    any time, those of single modules too (Beam's ``--sdk_harness_log_level_overrides``). So it is not by levels alone:
    what is logged below one of these loggers goes no further up than to it, and from there only what is no detail.
    """
    for name, level in WIRE_LOGGERS.items():
        logger = logging.getLogger(name)
        logger.setLevel(max(level, logger.getEffectiveLevel()))
        if not any(isinstance(handler, _WithoutDetails) for handler in logger.handlers):
            logger.addHandler(_WithoutDetails(level))
        logger.propagate = False


class _WithoutDetails(logging.Handler):
    """Passes on to the root logger's handlers what is of its level or above."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().callHandlers(record)
