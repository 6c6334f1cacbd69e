"""Importing a library without waiting for packages that it imports for rare cases: they are imported once used."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


@contextlib.contextmanager
def deferred_packages() -> Iterator[None]:
    """Have Beam, while the block imports it, not wait for packages that a job in this process leaves unused.

    Beam cannot be imported without them, so each has a stand-in, which imports the package when something of it is
    used. httplib2 and yaml are for Google's services and for transforms of other languages, grpc.aio for asyncio. Of
    beartype, which is 300 modules, Beam asks whether one of Python's own type hints is consistent with another; the
    job's hints are classes and Beam's own. Together they take a tenth of a start.
    """
    stand_ins = {name: _StandIn(name, members) for name, members in _DEFERRED.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            _forget(name, stand_in)


class _StandIn(ModuleType):
    """Stands for a module until it is asked for a member: then the module is imported, and the member is its own.

    `importlib.util.LazyLoader` would not do: to it a second import, and ``from module import name``, are uses.
    """

    def __init__(self, name: str, members: dict[str, Any]) -> None:
        super().__init__(name)
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import itself looks for
            raise AttributeError(name)
        _forget(self.__name__, self)
        return getattr(importlib.import_module(self.__name__), name)


def _forget(name: str, stand_in: ModuleType) -> None:
    if sys.modules.get(name) is stand_in:
        sys.modules.pop(name, None)  # another thread may have done so


class _NotComparableError(Exception):
    """Stands for `beartype.roar.BeartypeDoorException`, which Beam catches."""


def _is_subhint(hint: object, other: object) -> bool:
    from beartype.door import is_subhint
    from beartype.roar import BeartypeDoorException

    try:
        return is_subhint(hint, other)
    except BeartypeDoorException as error:
        raise _NotComparableError(str(error)) from error


_DEFERRED: dict[str, dict[str, Any]] = {
    "beartype.door": {"is_subhint": _is_subhint},
    "beartype.roar": {"BeartypeDoorException": _NotComparableError},
    "grpc.aio": {},
    "httplib2": {},
    "yaml": {},
}
"""The modules, each with the members that Beam takes out of it while it is imported itself."""
