"""What other libraries log, kept from saying too much."""

from __future__ import annotations

import logging

WIRE_LOGGERS = ("boto3", "botocore", "urllib3")
"""Loggers that write whole requests and answers when asked for all they know."""


def silence_wire_logging() -> None:
    """Have boto3's loggers leave out whole requests and answers, whatever the root logger is set to.

    They would show clear messages and KMS's plaintexts, and a cluster's worker sets its own level of logging.
    """
    for name in WIRE_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
