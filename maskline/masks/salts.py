"""Random bytes before a plaintext, so that equal values have unequal ciphertexts."""

from __future__ import annotations

import os
from collections import deque

SALT_BYTES = 16

SALTS_PER_DRAW = 64
"""How many are drawn from the operating system at once.

A draw gives the interpreter away, and a job has a thread that waits for it all the time: a salt drawn by itself cost a
job two switches of threads a message, and 0.7 µs where this takes 0.3.
"""

_drawn: deque[bytes] = deque()

os.register_at_fork(after_in_child=_drawn.clear)  # a child would else give out the salts of its parent


def new_salt() -> bytes:
    """Return `SALT_BYTES` bytes of the operating system's random generator, different at each call. Thread-safe."""
    while True:
        try:
            return _drawn.popleft()
        except IndexError:
            block = os.urandom(SALT_BYTES * SALTS_PER_DRAW)
            _drawn.extend(block[start : start + SALT_BYTES] for start in range(0, len(block), SALT_BYTES))
