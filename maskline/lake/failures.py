"""What the failures of a lake's store mean: a conflict, a set-up to fix, or a store that does not answer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError

from maskline.errors import LakeError, LakeUnavailableError, MasklineError

_SETUP = re.compile(
    r"AccessDenied|Forbidden|\b403\b|\b401\b|InvalidAccessKeyId|SignatureDoesNotMatch|NoSuchBucket|InvalidToken"
    r"|ExpiredToken|Permission denied|Unable to convert URL|unknown scheme|No such file or directory"
    r"|Read-only file system"
)
_CONFLICT = re.compile(r"Failed to commit transaction: \d+|already exists|Transaction failed, version \d+")
_MAX_CHARACTERS = 300
_COLORS = re.compile("\x1b\\[[0-9;]*m|↳")


class LakeConflictError(LakeUnavailableError):
    """Somebody else made the next version of a table first; begin anew from that one."""


@contextlib.contextmanager
def map_lake_errors(uri: str) -> Iterator[None]:
    """Turn the errors of deltalake, of Arrow and of the file system into ours.

    Args:
        uri: Where the table is.

    Raises:
        LakeConflictError: A commit came too late.
        LakeError: Something has to be fixed.
        LakeUnavailableError: The store did not do what it was asked.
    """
    try:
        yield
    except MasklineError:
        raise
    except CommitFailedError as error:
        text = _plain(error)
        if _CONFLICT.search(text):
            raise LakeConflictError(f"lake {uri}: somebody else changed it meanwhile") from None
        raise _map_storage_error(uri, text) from None
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise _map_storage_error(uri, _plain(error)) from None


def _map_storage_error(uri: str, text: str) -> MasklineError:
    if _SETUP.search(text):
        return LakeError(f"lake {uri}: may not be read or written like this: {_shortened(text)}")
    return LakeUnavailableError(f"lake {uri}: {_shortened(text)}")


def _plain(error: Exception) -> str:
    return " ".join(_COLORS.sub("", str(error)).split())


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else text[:_MAX_CHARACTERS] + "…"
