"""Paths to values in JSON documents.

Names have dots between them, and one that holds a dot, a bracket or a quotation mark is quoted as in JSON; ``[n]`` is
an element of an array, counted from 0, and ``[*]`` every element. ``.`` is the document itself::

    customer.email
    customer."e.mail"
    items[0].sku
    contacts[*].email
    .

What a path finds is one of three things. The value, which may be null. `ABSENT`, where an object on the way has no such
name, an array is too short, or there is a null before the end. Or an error, where a string stands on the way and an
object belongs there, say: that is another kind of message, and no field that was left out. ``[*]`` gives a list of what
it finds in each element, `ABSENT` where an element lacks it, and the lists of several ``[*]`` are joined into one.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias

import msgspec

from maskline.streams.failures import InvalidValueError, wrong_type


class _Marker(enum.Enum):
    """Objects that compare by identity, in every process alike."""

    ABSENT = "absent"
    EVERY = "[*]"


ABSENT: Final = _Marker.ABSENT
"""What a path finds where there is nothing; null is something."""

EVERY: Final = _Marker.EVERY
"""The step to every element of an array."""

Step: TypeAlias = str | int | Literal[_Marker.EVERY]
"""A name in an object, a place in an array, or `EVERY`."""

Find: TypeAlias = Callable[[object], object]
"""Returns what a path finds in a document."""

_STEP = re.compile(
    r"""
    (?P<name>[^."\[\]]+)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | \[(?P<place>[0-9]{1,9})\]
    | (?P<every>\[\*\])
    """,
    re.VERBOSE | re.DOTALL,
)


class Path(msgspec.Struct, frozen=True):
    """One path.

    Attributes:
        text: As it was written.
        steps: Its steps from the document inwards; none for the document itself.
    """

    text: str
    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read a path.

        Args:
            text: The path; it begins with a name, for a record is an object.

        Raises:
            ValueError: It is none; the message says what is wrong and what to write.
        """
        if text == ".":
            return cls(text, ())
        steps = tuple(_steps(text))
        if not isinstance(steps[0], str):
            raise ValueError(f"path {text!r}: begins with {text.partition(']')[0]}], and a record is an object")
        return cls(text, steps)

    @classmethod
    def of_name(cls, name: str) -> Path:
        """Return the path to a field by its name, whatever characters the name holds."""
        return cls(name, (name,))

    @property
    def name(self) -> str | None:
        """The name of the field, if the path is just that name; else None."""
        return self.steps[0] if len(self.steps) == 1 and isinstance(self.steps[0], str) else None

    @property
    def finds_many(self) -> bool:
        """Whether it gives a list, having an ``[*]``."""
        return EVERY in self.steps

    def finder(self) -> Find:
        """Return a function that finds the path's value in a document.

        It returns the value, a list of values and `ABSENT` if the path `finds_many`, or `ABSENT`; and it raises an
        `InvalidValueError` where what stands on the way is no object, or no array.
        """
        find: Find = _itself
        for place in reversed(range(len(self.steps))):
            is_last_list = EVERY not in self.steps[place + 1 :]
            find = _step_finder(self.steps[place], find, is_last_list)
        return find


def _steps(text: str) -> Iterator[Step]:
    place = 0
    while True:
        if not (match := _STEP.match(text, place)):
            raise ValueError(f"path {text!r}: {_mistake(text, place)}")
        place = match.end()
        yield _step(text, match)
        if place == len(text):
            return
        if text[place] == ".":
            place += 1
            if text[place : place + 1] == "[":
                raise ValueError(f"path {text!r}: has a dot before a bracket; write a[0] without one")
        elif text[place] != "[":
            raise ValueError(f"path {text!r}: {_mistake(text, place)}")


def _step(text: str, match: re.Match[str]) -> Step:
    if match["name"]:
        return match["name"]
    if match["every"]:
        return EVERY
    if match["place"]:
        return int(match["place"])
    try:
        return str(json.loads(match["quoted"]))
    except ValueError:
        raise ValueError(f"path {text!r}: {match['quoted']} is not a string as JSON writes it") from None


def _mistake(text: str, place: int) -> str:
    if place == len(text):
        return "ends where a name belongs" if text else "is empty"
    if text[place] == '"' and _STEP.match(text, place):
        return "has a quoted name inside a name; quote the whole name"
    return {
        ".": "has an empty name; quote a name that holds a dot",
        '"': "has a quotation mark without its other",
        "[": "has a bracket that is neither [0], [1] … nor [*]; quote a name that holds one",
        "]": "has a bracket without its other; quote a name that holds one",
    }.get(text[place], f"needs a dot or a bracket before its character {place + 1}")


def _itself(document: object) -> object:
    return document


def _step_finder(step: Step, then: Find, is_last_list: bool) -> Find:
    if step is EVERY:
        return _every_finder(then, is_last_list)
    if isinstance(step, int):
        return _place_finder(step, then)
    return _name_finder(step, then)


def _name_finder(name: str, then: Find) -> Find:
    def find(document: object) -> object:
        if type(document) is dict:
            value = document.get(name, ABSENT)
            return value if value is ABSENT else then(value)
        _raise_unless_null(document, "an object")
        return ABSENT

    return find


def _place_finder(place: int, then: Find) -> Find:
    def find(document: object) -> object:
        if type(document) is list:
            return then(document[place]) if place < len(document) else ABSENT
        _raise_unless_null(document, "an array")
        return ABSENT

    return find


def _every_finder(then: Find, is_last_list: bool) -> Find:
    def find(document: object) -> object:
        if type(document) is not list:
            _raise_unless_null(document, "an array")
            return ABSENT
        found = [then(element) for element in document]
        if is_last_list:
            return found
        joined: list[object] = []
        for inner in found:
            joined.extend(inner if type(inner) is list else [inner])
        return joined

    return find


def _raise_unless_null(found: object, expected: str) -> None:
    """Raise for what is found on the way of a path where nothing can be found in it, unless it is null or absent.

    Args:
        found: What is there.
        expected: What belongs there.

    Raises:
        InvalidValueError: It is a string, say.
    """
    if found is not None and found is not ABSENT:
        error = wrong_type(expected, found)
        raise InvalidValueError(error.reason, f"cannot be reached: what stands before its end {error.detail}")
