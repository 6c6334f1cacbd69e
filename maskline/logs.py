"""What other libraries log, kept from saying too much."""

from __future__ import annotations

import logging

TELL_TALES = ("boto3", "botocore", "urllib3")
"""Loggers that write whole requests and answers when asked for all they know."""


def keep_bodies_out_of_logs() -> None:
    """Have boto3's loggers leave out whole requests and answers, whatever the root logger is set to.

    They would show clear messages and KMS's plaintexts, and a cluster's worker sets its own level of logging.
    """
    for name in TELL_TALES:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
