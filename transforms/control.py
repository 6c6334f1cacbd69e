"""Stopping a job from outside, and learning from outside why it failed.

Both reach over a process-wide object, for a runner gives no other way between the code that starts a job and the DoFns
it runs. They work where the DoFns run in the process that started the job (FnApiRunner, Prism); elsewhere the runner's
own cancel and error text serve.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from maskline.errors import MasklineError


class JobControl:
    """What the starter of a job and its DoFns tell each other."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.failure: MasklineError | None = None

    def reset(self) -> None:
        """Forget what was said; for the next job in this process."""
        self.stopping.clear()
        self.failure = None

    @contextlib.contextmanager
    def reporting_failures(self) -> Iterator[None]:
        """Keep an error of ours for the starter of the job: runners turn errors into tracebacks."""
        try:
            yield
        except MasklineError as error:
            if self.failure is None:
                self.failure = error
            raise


CONTROL = JobControl()
