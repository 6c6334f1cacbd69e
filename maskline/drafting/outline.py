"""The outline of records: which places they have, and what kinds of value stand there; merged over all records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from maskline.personal_data.values import kinds_in
from maskline.streams.paths import EVERY, Step

MAX_DEPTH = 12
"""How deep the places are that become columns; what is nested deeper is taken as a document."""

MAX_NAMES = 200
"""How many names an object of fields may have; one that has more is taken as a map, whose names are values."""

MIN_SPARSE_NAMES = 30
"""From how many names on an object is taken as a map where hardly any of them come together."""

_SPARSE = 0.2
_NAME_OF_VALUE = re.compile(r"[0-9]+|.*[0-9]{5}.*|(?=.*[0-9])[0-9A-Fa-f-]{12,}|.{65,}", re.DOTALL)


class Place(msgspec.Struct):
    """What stood at one place in the records that had it.

    Attributes:
        scalars: How many texts, numbers and truth values.
        objects: How many objects.
        arrays: How many arrays.
        children: What stood under each name, where there were objects.
        elements: What stood in arrays, where there were any with elements.
    """

    scalars: int = 0
    objects: int = 0
    arrays: int = 0
    children: dict[str, Place] = msgspec.field(default_factory=dict)
    elements: Place | None = None

    def add(self, value: object, depth: int = 0) -> None:
        """Take one more value into account.

        Args:
            value: A value as `decode_json` reads it.
            depth: How deep in the record it stands.
        """
        if depth > MAX_DEPTH:
            return
        if isinstance(value, dict):
            self.objects += 1
            for name, inner in value.items():
                self.children.setdefault(name, Place()).add(inner, depth + 1)
        elif isinstance(value, list):
            self.arrays += 1
            for element in value:
                self.elements = self.elements or Place()
                self.elements.add(element, depth + 1)
        elif value is not None:
            self.scalars += 1

    @property
    def is_map(self) -> bool:
        """Whether its names are values (ids, for example) that a definition cannot name."""
        count = len(self.children)
        there = sum(child.scalars + child.objects + child.arrays for child in self.children.values())
        if count > MAX_NAMES or (count > MIN_SPARSE_NAMES and there < _SPARSE * count * self.objects):
            return True
        return any(_NAME_OF_VALUE.fullmatch(name) or kinds_in(name) for name in self.children)


class Field(msgspec.Struct, frozen=True):
    """A place that can become a column.

    Attributes:
        steps: The way to it.
        is_document: Whether it holds values of several kinds, or a map, and is taken as a whole.
        is_array: Whether it holds an array of plain values.
    """

    steps: tuple[Step, ...]
    is_document: bool = False
    is_array: bool = False


class Emptiness(msgspec.Struct, frozen=True):
    """A place that cannot become a column, for nothing stood there.

    Attributes:
        steps: The way to it.
        what: What stood there, ``always null`` say.
    """

    steps: tuple[Step, ...]
    what: str


def fields_of(place: Place, steps: tuple[Step, ...] = ()) -> Iterator[Field | Emptiness]:
    """Return what is below a place, in the order in which the records have it.

    Args:
        place: The place, that of all records to begin with.
        steps: The way to it.
    """
    kinds = [kind for kind in ("scalars", "objects", "arrays") if getattr(place, kind)]
    if not kinds:
        yield Emptiness(steps, "always null")
    elif len(kinds) > 1 or len(steps) >= MAX_DEPTH:
        yield Field(steps, is_document=True)
    elif place.scalars:
        yield Field(steps, is_array=EVERY in steps)
    elif place.objects:
        yield from _fields_of_object(place, steps)
    else:
        yield from _fields_of_array(place.elements, steps)


def _fields_of_object(place: Place, steps: tuple[Step, ...]) -> Iterator[Field | Emptiness]:
    if place.is_map:
        yield Field(steps, is_document=True)
    elif not place.children:
        yield Emptiness(steps, "always an empty object")
    for name, child in place.children.items() if not place.is_map else ():
        yield from fields_of(child, (*steps, name))


def _fields_of_array(elements: Place | None, steps: tuple[Step, ...]) -> Iterator[Field | Emptiness]:
    if elements is None:
        yield Emptiness(steps, "always an empty array")
    elif elements.arrays or (elements.objects and elements.scalars):
        yield Field(steps, is_document=True)
    elif elements.objects:
        yield from fields_of(elements, (*steps, EVERY))
    elif not elements.scalars:
        yield Emptiness(steps, "always an array of nulls")
    else:
        # Within an array of objects, the arrays of all of them become one.
        yield Field((*steps, EVERY) if EVERY in steps else steps, is_array=True)


def path_text(steps: Sequence[Step]) -> str:
    """Return a path as a definition writes it.

    Args:
        steps: Its steps, none for the record itself.
    """
    text = ""
    for step in steps:
        if isinstance(step, str):
            text += f"{'.' if text else ''}{_name_text(step)}"
        else:
            text += "[*]" if step is EVERY else f"[{step}]"
    return text or "."


def _name_text(name: str) -> str:
    if name and not re.search(r'[."\[\]:\x00-\x1f\x7f]', name) and name == name.strip() and _is_unicode(name):
        return name
    # A surrogate that stands alone cannot be written but as an escape.
    return msgspec.json.encode(name).decode() if _is_unicode(name) else _escaped(name)


def _escaped(name: str) -> str:
    inner = "".join(
        character if character.isalnum() and character.isascii() else _escape(character) for character in name
    )
    return f'"{inner}"'


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
