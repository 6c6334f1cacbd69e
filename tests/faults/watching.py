"""Watching what a process uses: memory, threads, file descriptors."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import msgspec
import psutil

LOOK_SECONDS = 0.1


class Use(msgspec.Struct, frozen=True):
    """What a process used at one moment.

    Attributes:
        resident_bytes: Resident memory.
        threads: Threads.
        files: File descriptors that are no sockets.
        sockets: Sockets.
    """

    resident_bytes: int
    threads: int
    files: int
    sockets: int


class ResourceWatch:
    """Looks at a process again and again while the ``with`` block runs.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="resource-watch", daemon=True)
        self.uses: list[Use] = []

    def __enter__(self) -> ResourceWatch:
        """Start looking."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    @property
    def most_bytes(self) -> int:
        """The most resident memory that was seen."""
        return max(use.resident_bytes for use in self.uses)

    def look(self) -> Use:
        """Look once."""
        with self._process.oneshot():
            sockets, descriptors = self._sockets(), self._process.num_fds()
            return Use(self._process.memory_info().rss, self._process.num_threads(), descriptors - sockets, sockets)

    def _sockets(self) -> int:
        sockets = 0
        for descriptor in Path(f"/proc/{self._process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                sockets += descriptor.readlink().name.startswith("socket:")
        return sockets

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self.uses.append(self.look())
            except (psutil.Error, FileNotFoundError):
                return
