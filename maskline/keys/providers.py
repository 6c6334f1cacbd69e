"""Where keysets are kept: a URI names the place, a provider reads it.

===============  ====================================================================
``file:PATH``    a file that only its owner can read
``env:NAME``     an environment variable
===============  ====================================================================
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from maskline.errors import KeysetError, UsageError
from maskline.keys.keyset import StoredKeyset


class KeysetProvider(Protocol):
    """Reads one keyset from the place it is kept."""

    @property
    def uri(self) -> str:
        """The URI it was made from; it holds no secret."""

    @property
    def is_cleartext(self) -> bool:
        """Whether what `fetch` returns opens without a further key."""

    def fetch(self) -> StoredKeyset:
        """Read the keyset as it is stored.

        Raises:
            KeysetError: It is not there, or not to be read.
        """


class FileKeyset:
    """A keyset in a file of this machine.

    Args:
        path: The file. It must be readable by its owner alone (mode 0600 or 0400).
    """

    is_cleartext = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uri = f"file:{path}"

    def fetch(self) -> StoredKeyset:
        """Read the file; `KeysetError` if others could have read it, too."""
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise KeysetError(
                        f"keyset {self.uri}: others can read it (mode {mode:04o}); run: chmod 600 {self.path}"
                    )
                return StoredKeyset(file.read(), self.uri)
        except (OSError, ValueError) as error:
            problem = error.strerror if isinstance(error, OSError) else "not a path"
            raise KeysetError(
                f"keyset {self.uri}: {problem}; make one with: python -m pipeline keys create --keyset {self.uri}"
            ) from None

    def store_new(self, content: bytes) -> None:
        """Write a keyset to the file, which must not exist yet, for its owner's eyes only.

        Args:
            content: The keyset in Tink's JSON.

        Raises:
            KeysetError: The file exists, or cannot be written.
        """
        try:
            with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=".keyset-") as file:
                os.fchmod(file.fileno(), 0o600)  # whatever the umask took away
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                # A link appears whole or not at all, and never takes the place of a file that is there.
                os.link(file.name, self.path)
        except FileExistsError:
            raise KeysetError(
                f"keyset {self.uri}: exists already and is not overwritten; without it nothing it masked "
                "could be recovered"
            ) from None
        except OSError as error:
            raise KeysetError(f"keyset {self.uri}: {error.strerror}") from None


class EnvironmentKeyset:
    """A keyset in an environment variable.

    Args:
        name: The variable.
        environment: Where to look it up.
    """

    is_cleartext = True

    def __init__(self, name: str, environment: Mapping[str, str] = os.environ) -> None:
        self.uri = f"env:{name}"
        self._name = name
        self._environment = environment

    def fetch(self) -> StoredKeyset:
        """Read the variable; `KeysetError` if it is not set."""
        content = self._environment.get(self._name)
        if not content:
            raise KeysetError(f"keyset {self.uri}: the environment variable {self._name} is not set")
        return StoredKeyset(os.fsencode(content), self.uri)


def _file_keyset(path: str) -> FileKeyset:
    try:
        return FileKeyset(Path(path.removeprefix("//")).expanduser())
    except RuntimeError:
        raise UsageError(f"keyset file:{path}: there is no such user; give the path of the file") from None


_SCHEMES: dict[str, Callable[[str], KeysetProvider]] = {
    "file": _file_keyset,
    "env": EnvironmentKeyset,
}


def keyset_provider(uri: str) -> KeysetProvider:
    """Return the provider that a URI names.

    Args:
        uri: ``file:PATH`` or ``env:NAME``.

    Raises:
        UsageError: The URI names no provider.
    """
    scheme, colon, rest = uri.partition(":")
    if not colon or not rest or scheme not in _SCHEMES:
        schemes = ", ".join(f"{scheme}:" for scheme in _SCHEMES)
        # What was given instead may be the keyset itself, so no more than a scheme is shown.
        given = f" {scheme}" if colon and scheme.replace("-", "").isalnum() else ""
        raise UsageError(f"keyset{given}: give a URI that begins with one of {schemes}; for example file:keyset.json")
    return _SCHEMES[scheme](rest)
