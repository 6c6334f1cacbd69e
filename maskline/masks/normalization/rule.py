"""A rule by its name, as a definition has it: ``email``, ``phone:DE``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module, metadata
from types import ModuleType
from typing import TypeAlias

import msgspec

NormalForm: TypeAlias = Callable[[str], str | None]
"""Returns a value's normal form, the very same object where it is in it already; None where it has none."""

CACHED_VALUES = 8192
"""How many values a rule remembers that were not in their normal form: queues repeat themselves."""

RULES = ("ip", "email", "phone", "uuid", "mac", "iban", "text", "caseless")
"""The rules' names, each that of its file. ``phone`` takes a region behind a colon."""

_WITH_REGION = "phone"


class Normalization(msgspec.Struct, frozen=True):
    """A rule.

    Attributes:
        name: As a definition writes it.
        version: Which normal forms it gives; it changes with them.
        package: The package that knows such values, or None for Python's own libraries.
    """

    name: str
    version: int
    package: str | None = None

    @classmethod
    def parse(cls, text: str) -> Normalization:
        """Read the name of a rule.

        Args:
            text: As a definition has it.

        Raises:
            ValueError: There is no such rule; the message names those that there are.
        """
        name, colon, region = text.partition(":")
        if name not in RULES:
            known = ", ".join(f"{rule}:REGION" if rule == _WITH_REGION else rule for rule in RULES)
            raise ValueError(f"normalize {text!r} is not known; write one of {known}")
        # A rule's library takes a tenth of a second to import, so only those that are asked for are.
        module = import_module(f"maskline.masks.normalization.{name}")
        if name != _WITH_REGION:
            if colon:
                raise ValueError(f"normalize {text!r} takes nothing behind a colon; write {name!r}")
        elif region not in module.REGIONS:
            raise ValueError(
                f"normalize {text!r}: needs the region whose numbers may come without a country code, in capitals; "
                "write 'phone:DE', say"
            )
        return cls(text, module.VERSION, module.PACKAGE)

    @property
    def library(self) -> str | None:
        """The package that knows such values, with the version that is installed."""
        return None if self.package is None else f"{self.package} {metadata.version(self.package)}"

    def normal_form(self) -> NormalForm:
        """Return the function that gives a value its normal form.

        What it gives is always its own normal form: what a library would change a second time has none.
        """
        return _shared_form(self.name)

    def canonical_test(self) -> Callable[[str], object] | None:
        """Return a quick test that only normal forms pass, most of those that queues hold; None where there is none."""
        return _canonical_test(self.name)


def _canonical_test(rule: str) -> Callable[[str], object] | None:
    test: Callable[[str], object] | None = getattr(_module_of(rule), "is_canonical", None)
    return test


def _module_of(rule: str) -> ModuleType:
    return import_module(f"maskline.masks.normalization.{rule.partition(':')[0]}")


@functools.cache
def _shared_form(rule: str) -> NormalForm:
    """Return a rule's function: one for all columns, which so share what it remembers."""
    module, region = _module_of(rule), rule.partition(":")[2]
    find: NormalForm = module.normal_form_in(region) if region else module.normal_form
    is_canonical = _canonical_test(rule)

    @functools.lru_cache(CACHED_VALUES)
    def stable_form(value: str) -> str | None:
        form = find(value)
        return form if form is None or form == value or find(form) == form else None

    if is_canonical is None:
        return stable_form

    def fast_form(value: str) -> str | None:
        return value if is_canonical(value) else stable_form(value)

    return fast_form
