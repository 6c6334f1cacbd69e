"""No salt is given out twice: not by two threads, and not by a process and its child."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from maskline.masks.salts import SALT_BYTES, SALTS_PER_DRAW, new_salt

COUNT = 20 * SALTS_PER_DRAW

FORKING = """
import os
from maskline.masks.salts import new_salt
new_salt()  # there are others of the same draw now
if os.fork():
    os.wait()
print(new_salt().hex(), flush=True)
"""
"""A process of its own: one that has threads must not be forked."""


def test_threads_get_salts_of_their_own() -> None:
    with ThreadPoolExecutor(4) as threads:
        salts = list(threads.map(lambda _: new_salt(), range(COUNT)))

    assert len(set(salts)) == COUNT
    assert {len(salt) for salt in salts} == {SALT_BYTES}


def test_a_forked_child_does_not_give_out_the_salts_of_its_parent() -> None:
    printed = subprocess.run([sys.executable, "-c", FORKING], check=True, capture_output=True, text=True).stdout

    childs_salt, parents_salt = printed.split()
    assert childs_salt != parents_salt
