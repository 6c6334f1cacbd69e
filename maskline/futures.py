"""Futures of calls that are made elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(call: Callable[[], T], name: str) -> Future[T]:
    """Make a call in a thread of its own, which ends with the process: nobody waits for it at the interpreter's end.

    Args:
        call: What to call.
        name: The thread's name.
    """
    future: Future[T] = Future()
    threading.Thread(target=settle, args=(future, call), name=name, daemon=True).start()
    return future


def settle(future: Future[T], call: Callable[[], T]) -> None:
    """Make a call, and put what it returns or raises into a future, so that nobody waits for it in vain.

    Args:
        future: The future.
        call: What to call.
    """
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
