"""Memory that holds keys and messages in clear, kept from being written to a disk by the system."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Have this process leave no core file, nor hand its memory to a collector of them, and let no debugger in.

    The limit alone does not keep ``systemd-coredump`` and its like from being given the memory, for a pattern that is a
    pipe ignores it; the flag does, and also denies others of the same user the memory by ``ptrace`` and
    ``/proc/PID/mem``. Children inherit the limit; the flag only those that are forked and run no other program.

    Sources: core(5), prctl(2) PR_SET_DUMPABLE
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
