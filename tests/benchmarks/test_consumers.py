"""What the programs that are measured use."""

from __future__ import annotations

import sys

from benchmarks.consumers import Consumers
from tests.awaiting import await_until

BURN = "import time\nwhile time.process_time() < 0.3: pass"
LEAVE_A_CHILD_UNREAPED = f"""
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {BURN!r}])
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
signal.pause()
"""


def test_the_cpu_of_a_process_counts_that_its_parent_did_not_wait_for() -> None:
    with Consumers([[sys.executable, "-c", LEAVE_A_CHILD_UNREAPED]], {}) as consumers:
        await_until(lambda: bool(consumers.samples) and consumers.samples[-1].cpu_seconds >= 0.3, "its CPU is seen")
        consumers.stop()

        assert consumers.cpu_seconds >= 0.3
