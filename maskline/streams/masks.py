"""What a masked column does with its values, as a definition says it."""

from __future__ import annotations

import enum

import msgspec


class Method(enum.StrEnum):
    """How a value is masked."""

    DETERMINISTIC = "deterministic"
    RANDOM = "random"
    HASH = "hash"
    TRUNCATE = "truncate"
    REDACT = "redact"
    LEAVES = "leaves"


SUPPORTED_METHODS = frozenset({Method.DETERMINISTIC})
"""The methods that masking knows how to do today."""


class Mask(msgspec.Struct, frozen=True):
    """The mask of a column, ``truncate:ip/24,48`` say.

    Attributes:
        method: How a value is masked.
        parameter: What stands behind the colon, or None.
    """

    method: Method
    parameter: str | None = None

    @classmethod
    def parse(cls, text: str) -> Mask:
        """Read a mask.

        Args:
            text: As the definition has it.

        Raises:
            ValueError: It is none, or none that is supported.
        """
        name, colon, _ = text.partition(":")
        supported = ", ".join(sorted(SUPPORTED_METHODS))
        if name not in list(Method):
            raise ValueError(f"mask {text!r} is not known; write mask = {supported!r}")
        if name not in SUPPORTED_METHODS:
            raise ValueError(f"mask {text!r} is not supported yet; write mask = {supported!r}")
        if colon:
            raise ValueError(f"mask {text!r} takes nothing behind a colon; write mask = {name!r}")
        return cls(Method(name))
