"""The drawing at the top of `maskline.errors` is the truth about the classes below it."""

from __future__ import annotations

import inspect
import re

import pytest

from maskline import errors
from maskline.errors import MasklineError

DRAWN = re.compile(r"^ {4}(?P<indent>[ │├└─]*)(?P<name>\w+)(?: +(?P<exit_code>\d+))?", re.MULTILINE)


def drawing() -> dict[str, tuple[str, int | None]]:
    """Read the drawing: for each class the one it hangs from and its exit code."""
    drawn: dict[str, tuple[str, int | None]] = {}
    path: list[str] = []
    for line in DRAWN.finditer(errors.__doc__ or ""):
        depth = len(line["indent"]) // 4
        path[depth:] = [line["name"]]
        exit_code = int(line["exit_code"]) if line["exit_code"] else None
        drawn[line["name"]] = (path[depth - 1] if depth else "Exception", exit_code)
    return drawn


def defined() -> dict[str, type[MasklineError]]:
    """Return the classes of the module by name."""
    classes: list[tuple[str, type[MasklineError]]] = inspect.getmembers(errors, inspect.isclass)
    return {name: each for name, each in classes if issubclass(each, MasklineError)}


def test_the_drawing_can_be_read() -> None:
    drawn = drawing()

    assert drawn["MasklineError"] == ("Exception", None)
    assert drawn["StreamDefinitionError"] == ("ArgumentError", 2)
    assert drawn["DatabaseUnavailableError"] == ("UnavailableError", 75)
    assert drawn["TokenError"] == ("MasklineError", 1)
    assert len(drawn) == 23


def test_every_error_is_on_the_drawing_at_its_place_and_nothing_else_is() -> None:
    drawn = {name: parent for name, (parent, _) in drawing().items()}

    parents = {name: tuple(base.__name__ for base in each.__bases__) for name, each in defined().items()}
    assert parents.pop("ArgumentError") == (drawn.pop("ArgumentError"), "ValueError")

    assert parents == {name: (parent,) for name, parent in drawn.items()}


def test_every_error_leads_to_the_exit_code_beside_it() -> None:
    drawn = {name: exit_code for name, (_, exit_code) in drawing().items() if name != "MasklineError"}

    exit_codes = {name: each.exit_code for name, each in defined().items() if name != "MasklineError"}

    assert exit_codes == drawn


def test_an_error_of_no_further_kind_exits_with_1() -> None:
    assert MasklineError.exit_code == 1


@pytest.mark.parametrize("name", sorted(defined()))
def test_every_error_shows_its_message_and_nothing_more(name: str) -> None:
    error = defined()[name]("queue logins: does not exist; create it")

    assert str(error) == "queue logins: does not exist; create it"
