"""A publisher that kills itself at a step, the hard way: ``python -m tests.maskline.lake.killed_publisher …``."""

from __future__ import annotations

import logging
import os
import signal
import sys

from maskline.keys import keyset_provider, open_keyset
from maskline.lake.copies import Copy
from tests.maskline.lake.copies import lake_table, publish

STEPS = ("opened", "chose", "intended", "recorded", "wrote", "closed", "committed")
"""What a publisher of the clear copy logs, in this order."""


class _Killer(logging.Handler):
    def __init__(self, step: str) -> None:
        super().__init__()
        self._message = f"publishing: {step}"

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == self._message:
            os.kill(os.getpid(), signal.SIGKILL)


def main(dsn: str, keyset_uri: str, place: str, step: str) -> None:
    """Publish to the clear copy, and never come to the end."""
    logger = logging.getLogger("maskline.lake.publisher")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_Killer(step))
    publish(dsn, lake_table(place, Copy.CLEARTEXT), open_keyset(keyset_provider(keyset_uri).fetch()))


if __name__ == "__main__":
    main(*sys.argv[1:])
