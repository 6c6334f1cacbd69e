"""What other libraries log, kept from saying too much."""

from __future__ import annotations

import logging

WIRE_LOGGERS = ("boto3", "botocore", "s3transfer", "urllib3")
"""Loggers that write whole requests and answers when asked for all they know."""


def silence_wire_logging() -> None:
    """Have boto3's loggers, and all below them, leave out whole requests and answers, whatever level they are set to.

    They would show clear messages and KMS's plaintexts. A cluster's worker sets levels of its own, at any time, those
    of single modules too (Beam's ``--sdk_harness_log_level_overrides``). So it is not by levels alone: what is logged
    below one of these loggers goes no further up than to it, and from there only what is no detail.
    """
    for name in WIRE_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
        if not any(isinstance(handler, _WithoutDetails) for handler in logger.handlers):
            logger.addHandler(_WithoutDetails())
        logger.propagate = False


class _WithoutDetails(logging.Handler):
    """Passes on to the root logger's handlers what is of level INFO or above."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().callHandlers(record)
