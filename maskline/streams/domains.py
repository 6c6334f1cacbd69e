"""``[domains.NAME]`` of a definition: what equal means for the columns that share a domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from maskline.masks.normalization import Normalization
from maskline.streams.columns import Column


class Domain(msgspec.Struct, frozen=True):
    """What equal means in a domain.

    Attributes:
        normalization: The rule that gives equal values one form, or None where equal means the same characters.
        missing: Texts that mean there is no value, without white space around them.
        rejects_invalid: Whether a value without a normal form is rejected.
    """

    normalization: Normalization | None = None
    missing: tuple[str, ...] = ()
    rejects_invalid: bool = False


class DomainFile(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of one domain, as docs/streams.md describes them."""

    normalize: str | None = None
    missing: list[str] = []
    invalid: Literal["mask", "reject"] | None = None


def checked_domain(file: DomainFile) -> Domain:
    """Return a domain as the file has it.

    Raises:
        ValueError: It says nothing, or what cannot be.
    """
    if file.normalize is None and file.invalid is not None:
        raise ValueError('invalid is about values without a normal form; say which, normalize = "email", too')
    if file.normalize is None and not file.missing:
        raise ValueError('says nothing; write normalize = "email", say')
    normalization = None if file.normalize is None else Normalization.parse(file.normalize)
    missing = tuple(text.strip() for text in file.missing)
    return Domain(normalization, missing, rejects_invalid=file.invalid == "reject")


def check_shared_domains(columns: Iterable[tuple[str, Column]]) -> None:
    """Check that equal values have equal tokens wherever a domain is used.

    Args:
        columns: The columns of one stream or several, each with the name it is called by in an error.

    Raises:
        ValueError: Two columns of one domain give equal values another form.
    """
    first: dict[tuple[str, object], tuple[str, Column]] = {}
    for name, column in columns:
        if column.domain is None or column.mask is None:
            continue
        other_name, other = first.setdefault((column.domain, None), (name, column))
        if column.normalization != other.normalization:
            raise ValueError(
                f"{name} and {other_name} share the domain {column.domain} and not its rule ({_rule(column)} and "
                f'{_rule(other)}), so that equal values would not have equal tokens; write [domains."{column.domain}"] '
                "normalize alike in both, or give one another domain"
            )
        other_name, other = first.setdefault((column.domain, column.mask.method), (name, column))
        if other.mask is not None and column.mask.pad != other.mask.pad:
            raise ValueError(
                f"{name} and {other_name} share the domain {column.domain} and not its padding, so that equal values "
                "would not have equal tokens; write the same pad in both, or give one another domain"
            )


def _rule(column: Column) -> str:
    return "no rule" if column.normalization is None else column.normalization.name
