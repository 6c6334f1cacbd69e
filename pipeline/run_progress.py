"""The progress of a run of the job: live on a terminal, elsewhere as a log record every ten seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from maskline.pipeline.progress import Rate, logger, repeating
from maskline.pipeline.run_state import RunState

LIVE_SECONDS = 0.25


@contextlib.contextmanager
def showing_progress(state: Callable[[], RunState], console: Console) -> Iterator[None]:
    """Show the counts of a run while the block runs.

    Args:
        state: Returns the state of the run.
        console: Where to show it: live if it is a terminal, and as log lines if not.
    """
    received, written, deleted = Rate(), Rate(), Rate()

    def line() -> Text:
        now = state()
        return Text(now.counts.line(received.after(now.counts.received), now.oldest_message_seconds))

    if console.is_terminal:
        with Live(console=console, get_renderable=line, refresh_per_second=1 / LIVE_SECONDS, transient=True):
            yield
        return

    def log() -> None:
        now = state()
        values = {
            **msgspec.to_builtins(msgspec.structs.replace(now.counts, causes={})),
            "received_per_second": round(received.after(now.counts.received), 1),
            "written_per_second": round(written.after(now.counts.written), 1),
            "deleted_per_second": round(deleted.after(now.counts.deleted), 1),
            "in_flight": now.in_flight,
            "oldest_message_seconds": now.oldest_message_seconds and round(now.oldest_message_seconds, 1),
        }
        logger.info("progress", extra=values)

    with repeating(log):
        yield
