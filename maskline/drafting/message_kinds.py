"""Telling that messages are of several kinds: a text of few values, on which depends what fields a message has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from maskline.drafting.outline import MAX_DEPTH, path_text
from maskline.drafting.records import attribute_source
from maskline.personal_data.names import words_of
from maskline.streams.columns import Source
from maskline.streams.failures import InvalidValueError
from maskline.streams.opening import Opened, source_finder

MAX_KINDS = 20
_ENVELOPE_FIELDS = ("detail-type", "type", "Subject", "source")
_TELLING_WORDS = frozenset(
    ("type", "kind", "event", "name", "action", "operation", "op", "topic", "subject", "category")
)


def telling_source(opened: Sequence[Opened]) -> tuple[str, int] | None:
    """Return the source that tells kinds of messages apart, as a definition writes it, and how many kinds there are.

    None where all have the same fields, or nothing in them tells which they have.

    Args:
        opened: The messages.
    """
    fields = [frozenset(field for field, _ in _fields_of(each.record)) for each in opened]
    if len(set(fields)) == 1:
        return None
    found = []
    for source in _sources(opened):
        values = _values(source, opened)
        kinds = Counter(values)
        if None in kinds or not 1 < len(kinds) <= MAX_KINDS or len(kinds) * 2 > len(opened) + 1:
            continue
        told = _fields_told(values, fields)
        if told:
            is_named_so = bool(set(words_of(source)) & _TELLING_WORDS)
            found.append((is_named_so, told, -len(kinds), source))
    if not found:
        return None
    _, _, kinds_below_zero, source = max(found)
    return source, -kinds_below_zero


def _fields_of(record: Mapping[str, object], names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Return the way to each value of a record that is no object, and the value."""
    for name, value in record.items():
        if isinstance(value, dict) and len(names) < MAX_DEPTH:
            yield from _fields_of(value, (*names, name))
        else:
            yield (*names, name), value


def _sources(opened: Sequence[Opened]) -> list[str]:
    """Return the sources that every message may have: texts in the record, in an envelope, and attributes."""
    first = opened[0]
    sources = [path_text(names) for names, value in _fields_of(first.record) if isinstance(value, str)]
    sources += [f"envelope:{name}" for name in _ENVELOPE_FIELDS if isinstance(first.in_envelope(name), str)]
    return [*sources, *filter(None, map(attribute_source, first.attributes))]


def _values(source: str, opened: Sequence[Opened]) -> list[str | None]:
    find = source_finder(Source.parse(source))
    values: list[str | None] = []
    for each in opened:
        try:
            value = find(each)
        except InvalidValueError:
            value = None
        values.append(value if isinstance(value, str) else None)
    return values


def _fields_told(values: Sequence[str | None], fields: Sequence[frozenset[tuple[str, ...]]]) -> int:
    """Return how many fields are always there with some of the values and never with the others."""
    told = 0
    for field in frozenset[tuple[str, ...]]().union(*fields):
        having: dict[str | None, set[bool]] = {}
        for value, of_message in zip(values, fields, strict=True):
            having.setdefault(value, set()).add(field in of_message)
        if all(len(each) == 1 for each in having.values()) and len(set(map(frozenset, having.values()))) > 1:
            told += 1
    return told
