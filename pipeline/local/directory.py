"""The directory of local runs, and its lock."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path

from maskline.errors import SetupError, UsageError


class LocalDirectory:
    """Holds the data of local runs: database, queue, keyset and how far the sample data was sent.

    Only one process may use it at a time: two Postgres servers on one data directory would corrupt it.

    Args:
        path: The directory, ``.maskline`` say; it is made if need be.

    Raises:
        UsageError: The directory that this process stands in is gone.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.path = path.resolve()
        except FileNotFoundError:
            raise UsageError("data_directory: this directory was deleted; change to another one") from None
        self._lock: int | None = None

    @property
    def keyset(self) -> Path:
        """The file of the keyset."""
        return self.path / "keyset.json"

    @property
    def hash_keyset(self) -> Path:
        """The file of the keyset of hashes, which some streams need."""
        return self.path / "hash_keyset.json"

    @property
    def postgres(self) -> Path:
        """The data directory of Postgres."""
        return self.path / "postgres"

    @property
    def sqs(self) -> Path:
        """Where the queue is kept between runs."""
        return self.path / "sqs"

    @property
    def flink(self) -> Path:
        """Where a Flink cluster has its configuration and its logs."""
        return self.path / "flink"

    @property
    def lake(self) -> Path:
        """Where the copies of the lake are."""
        return self.path / "lake"

    def __enter__(self) -> LocalDirectory:
        """Make the directory and lock it.

        Raises:
            UsageError: There cannot be a directory, or none that may be written.
            SetupError: Another process uses it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UsageError(
                f"data_directory: {self.path} cannot be used ({error.strerror}); name another directory"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 20).decode().strip() or "unknown"
            os.close(lock)
            raise SetupError(
                f"local: {self.path} is in use by process {owner}; stop that run first (Ctrl-C), or start this one "
                "with another --data_directory"
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def clear(self) -> None:
        """Remove all data but the lock."""
        for entry in self.path.iterdir():
            if entry.name == "lock":
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def claim_samples(self, count: int) -> int:
        """Return the number of the next sample message, and count so many as sent.

        It is written before the messages are sent, so that a run killed half-way never makes a later one send a
        message a second time.

        Args:
            count: How many will be sent.

        Raises:
            SetupError: It cannot be written, the disk being full say.
        """
        file = self.path / "samples.json"
        first = json.loads(file.read_text())["next"] if file.exists() else 0
        written = file.with_suffix(".new")
        try:
            written.write_text(json.dumps({"next": first + count}))
            written.replace(file)
        except OSError as error:
            raise SetupError(f"local: {file} cannot be written ({error.strerror}); nothing more was sent") from None
        return int(first)
