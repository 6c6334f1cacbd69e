"""Keysets in environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NoReturn

from maskline.errors import KeysetError, UsageError
from maskline.keys.keyset import StoredKeyset


class EnvironmentKeyset:
    """A keyset in an environment variable.

    Args:
        name: The variable.
        environment: Where to look it up.
    """

    kms_key = None

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

    def create(self, content: bytes) -> NoReturn:  # noqa: ARG002 - what every place is given
        """Refuse: a variable set here would be gone with this process."""
        raise UsageError(
            f"keyset {self.uri}: a variable cannot be changed from here; make and change the keyset in a "
            "file (file:PATH), and set the variable from the file"
        )

    def replace(self, expected: bytes, content: bytes) -> NoReturn:  # noqa: ARG002
        """Refuse, as `create` does."""
        self.create(content)
