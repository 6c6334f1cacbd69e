"""A keyset that is read again while a job runs, so that a rotation needs no restart, and never goes back in time."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import NoReturn

from maskline.errors import MasklineError
from maskline.keys.key_proofs import have_same_keys
from maskline.keys.keyset import Keyset, StoredKeyset, open_keyset
from maskline.keys.uri import KeysetUri

READING_SECONDS = 5.0
"""How often a keyset is read again; it is opened, and a KMS asked, only where it is not as it was."""

logger = logging.getLogger(__name__)


class FollowedKeyset:
    """The keyset at a URI, as it was when it was last read.

    *Guarantee*: `keyset` is never followed by one that is older, whatever is put in its place: the primary key stays,
    or one takes over that was added after it, and what has the id of one of its keys is that key. What cannot be read,
    or is older, or another keyset, is warned of once, and the keyset stays as it is. A thread reads it, for as long as
    this object lasts, so nobody ever waits for that.

    Args:
        uri: Where the keyset is kept.
        reading_seconds: How often it is read.

    Attributes:
        keyset: The keyset.

    Raises:
        KeysetError: It is not there or not to be read, or does not mask deterministically.
        KeysetUnavailableError: A service that keeps or decrypts it did not answer.
    """

    def __init__(self, uri: KeysetUri, reading_seconds: float = READING_SECONDS) -> None:
        self._provider = uri.provider()
        self._stored: StoredKeyset = self._provider.fetch()
        self._warned: str | None = None
        self.keyset: Keyset = open_keyset(self._stored)
        self._ended = threading.Event()
        weakref.finalize(self, self._ended.set)
        threading.Thread(
            target=_follow, args=(weakref.ref(self), self._ended, reading_seconds), name="keyset", daemon=True
        ).start()

    def close(self) -> None:
        """Read it no more."""
        self._ended.set()

    def read(self) -> None:
        """Read it once, and take it if it has changed and is not older."""
        try:
            stored = self._provider.fetch()
            if stored == self._stored:
                return
            keyset = open_keyset(stored)
        except MasklineError as error:
            self._warn(f"{error}; the job goes on with the keyset that it has")
            return
        if not have_same_keys(keyset, self.keyset):
            self._warn(
                f"keyset {stored.origin}: a key in it has the id of one of this job's and is another, so the job goes "
                "on with the keyset that it has; put the right one back"
            )
            return
        if not is_successor(keyset, self.keyset):
            self._warn(
                f"keyset {stored.origin}: its primary key {keyset.primary_key_id} is not newer than key "
                f"{self.keyset.primary_key_id}, under which this job masks, so the job goes on with the keyset that it "
                "has; put the newer version back"
            )
            return
        if keyset.primary_key_id != self.keyset.primary_key_id:
            logger.info(
                "keyset %s: masking under key %d from now on, after key %d",
                stored.origin,
                keyset.primary_key_id,
                self.keyset.primary_key_id,
            )
        self._stored, self.keyset, self._warned = stored, keyset, None

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, as an opened keyset does."""
        raise TypeError("an opened keyset stays in this process; pass its URI on instead")

    def _warn(self, text: str) -> None:
        if text != self._warned:
            logger.warning("%s", text)
            self._warned = text


def is_successor(keyset: Keyset, before: Keyset) -> bool:
    """Return whether a keyset is the same one as before, or as it became by adding and promoting keys.

    Keys stand in a keyset in the order in which they were added.

    Args:
        keyset: The keyset.
        before: The keyset before.
    """
    order = keyset.history
    return before.primary_key_id in order and (order.index(before.primary_key_id) <= order.index(keyset.primary_key_id))


def _follow(followed: weakref.ref[FollowedKeyset], ended: threading.Event, reading_seconds: float) -> None:
    while not ended.wait(reading_seconds):
        keyset = followed()
        if keyset is None:
            return
        try:
            keyset.read()
        except Exception as error:
            logger.warning("reading the keyset again failed: %s", type(error).__name__)
        del keyset  # or it would outlive its users by as long as this waits
