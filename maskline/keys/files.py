"""Keysets in files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from maskline.errors import KeysetError, Remedy
from maskline.keys.conflicts import ALREADY_EXISTS, CHANGED_MEANWHILE
from maskline.keys.keyset import StoredKeyset

OWNER_ONLY = 0o600
PREVIOUS = ".previous"
NEW = ".new"


class FileKeyset:
    """A keyset in a file of this machine.

    Args:
        path: The file.
        is_private: Whether it must be readable by its owner alone (mode 0600 or 0400), as a keyset in clear must. Its
            owner must then be this process's user or root, unless root it is that reads, and nobody else may be able to
            put another file in its place.
    """

    kms_key = None

    def __init__(self, path: Path, *, is_private: bool = True) -> None:
        self.path = path
        self.uri = f"file:{path}"
        self._is_private = is_private

    @property
    def previous(self) -> Path:
        """The file that keeps the version before the last change."""
        return self.path.with_name(self.path.name + PREVIOUS)

    def fetch(self) -> StoredKeyset:
        """Read the file; `KeysetError` if others could have read it, too, or put it there."""
        try:
            with self.path.open("rb") as file:
                if self._is_private:
                    self._check_private(os.fstat(file.fileno()))
                return StoredKeyset(file.read(), self.uri)
        except (OSError, ValueError) as error:
            problem = error.strerror if isinstance(error, OSError) else "not a path"
            remedy = Remedy.CREATE_KEYSET if isinstance(error, FileNotFoundError) else None
            advice = "" if remedy else "; give the path of a file that this user may read"
            raise KeysetError(f"keyset {self.uri}: {problem}{advice}", remedy=remedy) from None

    def _check_private(self, file: os.stat_result) -> None:
        mode = stat.S_IMODE(file.st_mode)
        if mode & 0o077:
            command = f"chmod 600 {shlex.quote(str(self.path))}"
            raise KeysetError(f"keyset {self.uri}: others can read it (mode {mode:04o}); run: {command}")
        if not _is_trusted(file.st_uid):
            raise KeysetError(
                f"keyset {self.uri}: belongs to user {file.st_uid}, who can read and change it; give it to the user "
                f"that runs this: chown {os.geteuid()} {shlex.quote(str(self.path))}"
            )
        directory = Path(os.path.realpath(self.path)).parent
        around = directory.stat()
        if not _is_trusted(around.st_uid):
            raise KeysetError(
                f"keyset {self.uri}: its directory {directory} belongs to user {around.st_uid}, who can put another "
                "keyset there; move it to one of this user's"
            )
        # In a sticky directory, /tmp say, a file is its owner's to move.
        others = stat.S_IWOTH if around.st_gid == os.getegid() else stat.S_IWOTH | stat.S_IWGRP
        if around.st_mode & others and not around.st_mode & stat.S_ISVTX:
            raise KeysetError(
                f"keyset {self.uri}: others can put another keyset into its directory; run: "
                f"chmod go-w {shlex.quote(str(directory))}"
            )

    def create(self, content: bytes) -> None:
        """Write a keyset to the file, which must not exist yet, for its owner's eyes only.

        Args:
            content: The keyset in Tink's JSON.

        Raises:
            KeysetError: The file exists, or cannot be written.
        """
        with (
            self._explaining_errors(),
            _locked(self.path.parent),
            _written_beside(self.path, content) as written,
        ):
            # A link appears whole or not at all, and never takes the place of a file that is there.
            os.link(written, self.path)
            _flush_directory(self.path.parent)

    def replace(self, expected: bytes, content: bytes) -> str:
        """Put a new version in the place of the file, and keep the one before beside it; both have its owner and mode.

        Args:
            expected: The version that was read.
            content: The new version.

        Returns:
            The path of the version before.

        Raises:
            KeysetError: Somebody else changed the file in between, or it cannot be written.
        """
        with self._explaining_errors():
            behind_links = Path(os.path.realpath(self.path, strict=True))  # a link stays a link
            target = FileKeyset(behind_links, is_private=self._is_private)
            with _locked(target.path.parent):
                if target.fetch().content != expected:
                    raise KeysetError(f"keyset {self.uri}: {CHANGED_MEANWHILE}")
                model = target.path.stat()
                _put(target.previous, expected, model)
                _put(target.path, content, model)
        return str(target.previous)

    @contextlib.contextmanager
    def _explaining_errors(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise KeysetError(f"keyset {self.uri}: {ALREADY_EXISTS}") from None
        except OSError as error:
            is_without_directory = isinstance(error, FileNotFoundError) and not self.path.parent.is_dir()
            directory = self.path.parent
            problem = (
                f"the directory {directory} is not there; make it first" if is_without_directory else error.strerror
            )
            raise KeysetError(f"keyset {self.uri}: {problem}") from None
        except ValueError:
            raise KeysetError(f"keyset {self.uri}: not a path") from None


def _is_trusted(user: int) -> bool:
    """Return whether a user may stand behind a keyset: this process's, or root; root itself works for anybody."""
    return user in (os.geteuid(), 0) or os.geteuid() == 0


def _put(path: Path, content: bytes, model: os.stat_result) -> None:
    """Write a file in the place of one that may be there: whole or not at all."""
    with _written_beside(path, content, model) as written:
        written.replace(path)
        _flush_directory(path.parent)


@contextlib.contextmanager
def _written_beside(path: Path, content: bytes, model: os.stat_result | None = None) -> Iterator[Path]:
    """Write a file under another name in the same directory; the name is gone afterwards.

    It is for its owner's eyes only, or has the owner and mode of its model: a job that runs as another user than who
    changes its keyset goes on reading it. The name is always the same, so that a process that is killed in between
    leaves at most one such file, which the next change replaces.
    """
    beside = path.with_name(path.name + NEW)
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
            os.fchmod(file.fileno(), OWNER_ONLY)  # whatever the umask took away
            if model is not None:
                os.fchown(file.fileno(), model.st_uid, model.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(model.st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes that change keysets in a directory out while the block runs."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _flush_directory(directory: Path) -> None:
    """Have a new name outlive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
