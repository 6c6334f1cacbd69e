"""The job on a machine whose clock is wrong: ``python -m tests.faults.shifted_clock SECONDS COMMAND …``."""

from __future__ import annotations

import sys
import time

shift = float(sys.argv.pop(1))
true_time = time.time
time.time = lambda: true_time() + shift

from maskline.pipeline.cli import run  # noqa: E402 - only now, for modules keep the clock they find

run()
