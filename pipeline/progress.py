"""The progress of a long run: live on a terminal, elsewhere as a log record every ten seconds."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from maskline.pipeline.logs import PROGRESS_LOGGER

LOG_SECONDS = 10.0

logger = logging.getLogger(PROGRESS_LOGGER)


class Rate:
    """The rate of something that is counted, per second.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: list[tuple[float, int]] = [(clock(), 0)]

    def after(self, received: int) -> float:
        """Return the rate over the last few seconds.

        Args:
            received: The messages received so far.
        """
        now = self._clock()
        self._looks = [look for look in self._looks if now - look[0] <= 5] or self._looks[-1:]
        then, before = self._looks[0]
        self._looks.append((now, received))
        return (received - before) / (now - then) if now > then else 0.0


@contextlib.contextmanager
def showing_rows(total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Show how many rows are done, of how many and how fast, while the block runs.

    Yields what the block calls with the number of rows that it has just done.

    Args:
        total: How many rows there are to do.
        console: Where to show them: as a bar if it is a terminal, and as log lines if not.
    """
    if console.is_terminal:
        columns = (BarColumn(), MofNCompleteColumn(), _RowsPerSecond(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda rows: bar.advance(task, rows)
        return
    done = 0
    rate = Rate()

    def count(rows: int) -> None:
        nonlocal done
        done += rows

    def log() -> None:
        logger.info("progress", extra={"rows": done, "of": total, "rows_per_second": round(rate.after(done))})

    with repeating(log):
        yield count


class _RowsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s")


@contextlib.contextmanager
def repeating(log: Callable[[], None]) -> Iterator[None]:
    """Call a function every ten seconds while the block runs.

    Args:
        log: Writes the line.
    """
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(LOG_SECONDS):
            log()

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
