"""Mask personal data deterministically and reversibly on its way from SQS to Postgres.

This is the core: it knows queues, keysets and tables, and nothing of Apache Beam, so that a Lambda or an analyst's
notebook can use it alone::

    masker = maskline.Masker(maskline.load_keyset("file:keyset.json"))
    token = masker.mask("203.0.113.7", domain="user_logins.masked_ip")

`maskline.transforms` builds Beam transforms on it, `maskline.pipeline` builds the job on those. What is named here is
imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from maskline._version import __version__

if TYPE_CHECKING:
    from maskline.errors import (
        ArgumentError,
        DatabaseError,
        DatabaseLoginError,
        DatabaseUnavailableError,
        KeysetError,
        KeysetUnavailableError,
        LakeError,
        LakeUnavailableError,
        MasklineError,
        MissingExtraError,
        PayloadError,
        PayloadUnavailableError,
        QueueError,
        QueueUnavailableError,
        RunnerError,
        SetupError,
        StopTimedOutError,
        StreamDefinitionError,
        TableError,
        TokenError,
        TooManyRejectedError,
        UnavailableError,
        UsageError,
    )
    from maskline.keys import Keyset, load_keyset
    from maskline.masks.deterministic import Masker
    from maskline.streams.definition import StreamDefinition, load_stream

__all__ = [
    "ArgumentError",
    "DatabaseError",
    "DatabaseLoginError",
    "DatabaseUnavailableError",
    "Keyset",
    "KeysetError",
    "KeysetUnavailableError",
    "LakeError",
    "LakeUnavailableError",
    "Masker",
    "MasklineError",
    "MissingExtraError",
    "PayloadError",
    "PayloadUnavailableError",
    "QueueError",
    "QueueUnavailableError",
    "RunnerError",
    "SetupError",
    "StopTimedOutError",
    "StreamDefinition",
    "StreamDefinitionError",
    "TableError",
    "TokenError",
    "TooManyRejectedError",
    "UnavailableError",
    "UsageError",
    "__version__",
    "load_keyset",
    "load_stream",
]

_MODULES = {
    "Keyset": "maskline.keys",
    "load_keyset": "maskline.keys",
    "Masker": "maskline.masks.deterministic",
    "StreamDefinition": "maskline.streams.definition",
    "load_stream": "maskline.streams.definition",
}


def __getattr__(name: str) -> object:
    """Import what is named here on first use: keysets take Tink, and most of a process's commands take neither."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES.get(name, "maskline.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what is named here, imported yet or not."""
    return sorted({*globals(), *__all__})
