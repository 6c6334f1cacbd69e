"""From the values at one place of the records to a column for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from maskline.drafting.outline import Field
from maskline.masks.normalization import Normalization
from maskline.personal_data.names import personal_by_name, words_of
from maskline.personal_data.values import kinds_in
from maskline.records import Reason, Redacted
from maskline.streams.column_file import checked_column
from maskline.streams.column_keys import ColumnFile
from maskline.streams.column_reader import column_reader
from maskline.streams.columns import Source
from maskline.streams.failures import InvalidValueError
from maskline.streams.json_text import decode_json
from maskline.streams.masks import Method
from maskline.streams.opening import Opened, source_finder
from maskline.streams.paths import ABSENT
from maskline.streams.times import EPOCH_FORMATS

_MIN_CARD_DIGITS = 14
_MIN_FREE_WORDS = 4
_PLAUSIBLE_SECONDS = range(1_000_000_000, 4_000_000_000)
"""The seconds that are taken for a time: the years 2001 to 2096."""

_NEARLY_ALL = 0.9
_RULES = ("email", "ip", "uuid", "mac", "iban")
"""The rules that only values of one kind have a normal form under, but that of phone numbers.

That one takes the country, which the values need not say.
"""

_NAMES_OF_IDS = frozenset(["id", "ids", "number", "no", "key", "code", "ref", "sku"])


class DraftedColumn(Redacted, frozen=True):
    """A column as it is to stand in the file.

    Attributes:
        name: Its name, that of the source apart from what makes it a column's.
        file: Its keys.
        reasons: A comment for some of them, by key.
        normalize: The rule that gives equal values, however they are written, equal tokens; None where there is none.
    """

    name: str
    file: ColumnFile
    reasons: dict[str, str]
    normalize: str | None = None

    def __repr__(self) -> str:
        """Name the column."""
        return f"DraftedColumn({self.name})"


class LeftOut(msgspec.Struct, frozen=True):
    """A place that does not become a column.

    Attributes:
        field: Where it stands, as a definition would write it.
        reason: Why.
    """

    field: str
    reason: str


def drafted_column(
    name: str, field: str, kind: Field, names: Sequence[str], opened: Sequence[Opened]
) -> DraftedColumn | LeftOut:
    """Return the column of a source that takes whatever the messages hold there.

    A text in which something looks personal, or whose name says so, is masked, and so is one of several words: what is
    masked by mistake is put right by a word in the file, and what is stored in clear by mistake has been read.

    Args:
        name: The column's name.
        field: The source, as a definition writes it.
        kind: What is known of the place.
        names: The names on the way to it.
        opened: The messages.
    """
    find = source_finder(Source.parse(field))
    found = [find(each) for each in opened]
    plain = list(_plain_values(found))
    absent = sum(each is ABSENT or (isinstance(each, list) and ABSENT in each) for each in found)
    null = sum(each is None or (isinstance(each, list) and None in each) for each in found)
    common = {"field": field, "required": not absent, "nullable": bool(null)}
    reasons = {}
    if absent:
        reasons["required"] = f"absent from {absent:,} of {len(found):,}"
    if null:
        reasons["nullable"] = f"null in {null:,} of {len(found):,}"
    if kind.is_document:
        return _document(name, common, reasons, found)
    personal = _personal_reason(names, plain)
    for candidate, reason in _candidates(plain, names, personal is not None):
        file = msgspec.convert({**common, **candidate, "type": candidate["type"] + "[]" * kind.is_array}, ColumnFile)
        unstorable = _unstorable(name, file, found)
        if unstorable is not None:
            if file.pii:
                reasons["pii"] = str(personal)
            if unstorable:
                reasons["type"] = f"{unstorable:,} of {len(found):,} hold text that Postgres cannot store: rejected"
            if reason:
                reasons["format" if file.format else "type"] = reason
            return DraftedColumn(name, file, reasons, _normalization(plain) if file.pii else None)
    return LeftOut(field, "holds text, or numbers, that Postgres cannot store")


def _document(
    name: str, common: dict[str, object], reasons: dict[str, str], found: Sequence[object]
) -> DraftedColumn | LeftOut:
    field = str(common["field"])
    file = msgspec.convert({**common, "type": "jsonb", "mask": str(Method.LEAVES)}, ColumnFile)
    if _unstorable(name, file, found) is None:
        return LeftOut(field, "holds text that Postgres cannot store")
    return DraftedColumn(name, file, reasons | {"mask": "values of several kinds, or names that are values"})


def _unstorable(name: str, file: ColumnFile, found: Sequence[object]) -> int | None:
    """Return how many values are text that no column can hold, or None where the column does not take the others.

    One such message is no reason to leave a column out, and is rejected for it.
    """
    read = column_reader(checked_column("draft", name, file, {}))
    unstorable = taken = 0
    for value in found:
        try:
            taken += read(value) is not None
        except InvalidValueError as rejection:
            if rejection.reason is not Reason.INVALID_TEXT:
                return None
            unstorable += 1
    return None if unstorable and not taken else unstorable


def _plain_values(found: Sequence[object]) -> Iterator[object]:
    for value in found:
        if isinstance(value, list):
            yield from _plain_values(value)
        elif value is not None and value is not ABSENT:
            yield value


def _personal_reason(names: Sequence[str], values: Sequence[object]) -> str | None:
    """Return why values are taken for personal, or None."""
    if all(isinstance(value, bool) for value in values):
        return None
    by_name = personal_by_name(names)
    texts = [value if isinstance(value, str) else str(value) for value in values if _may_tell(value)]
    for kind in {kind: None for text in texts for kind in sorted(kinds_in(text))}:
        count = sum(kind in kinds_in(text) for text in texts)
        return f"{kind}, by {count:,} of {len(values):,} values" + (", and by its name" if by_name else "")
    if by_name:
        return f"{by_name}, by its name"
    if any(isinstance(value, str) and len(value.split()) >= _MIN_FREE_WORDS for value in values):
        return "free text, in which anything may stand"
    if any(isinstance(value, str) and _is_json(value) for value in values):
        return "JSON in a text, in which anything may stand"
    return None


def _is_json(text: str) -> bool:
    try:
        return text.lstrip()[:1] in ("{", "[") and isinstance(decode_json(text), dict | list)
    except InvalidValueError:
        return False


def _normalization(values: Sequence[object]) -> str | None:
    """Return the rule under which nearly all values have a normal form, or None."""
    if not values or not all(isinstance(value, str) for value in values):
        return None
    for rule in _RULES:
        normal_form = Normalization.parse(rule).normal_form()
        if sum(normal_form(str(value)) is not None for value in values) >= _NEARLY_ALL * len(values):
            return rule
    return None


def _may_tell(value: object) -> bool:
    return isinstance(value, str) or (type(value) is int and value >= 10 ** (_MIN_CARD_DIGITS - 1))


def _candidates(
    values: Sequence[object], names: Sequence[str], is_personal: bool
) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Return types to try, the most telling first, each with a reason where it needs one."""
    kinds = {type(value) for value in values}
    secrecy = {"pii": True} if is_personal else {"clear": True}
    if not is_personal:
        yield from _telling_candidates(values, names, kinds)
    if kinds <= {str}:
        yield {"type": "text", **secrecy}, None
    elif str in kinds:
        texts = sum(isinstance(value, str) for value in values)
        reason = f"a text in {texts:,} of {len(values):,}, and no text in the others"
        yield {"type": "text", "format": "text", **secrecy}, reason
    yield {"type": "text", "format": "text", **secrecy}, "numbers or truth values, kept as they are written"


def _telling_candidates(
    values: Sequence[object], names: Sequence[str], kinds: set[type]
) -> Iterator[tuple[dict[str, Any], str | None]]:
    if kinds == {bool}:
        yield {"type": "boolean"}, None
    elif kinds == {int}:
        for unit, places in EPOCH_FORMATS.items():
            if _is_epoch(values, 10**places) and not set(words_of(names[-1])[-1:]) & _NAMES_OF_IDS:
                yield {"type": "timestamptz", "format": unit}, "a time, by its size"
                yield {"type": "timestamptz", "format": unit, "round": True}, "a time, by its size"
        yield {"type": "bigint"}, None
        yield {"type": "numeric"}, None
    elif kinds <= {int, Decimal}:
        yield {"type": "numeric"}, None
        yield {"type": "double precision"}, None
    elif kinds == {str}:
        yield {"type": "timestamptz"}, None
        yield {"type": "timestamptz", "round": True}, "finer than a microsecond in some messages"
        yield {"type": "date"}, None
        yield {"type": "uuid"}, None


def _is_epoch(values: Sequence[object], divisor: int) -> bool:
    return all(isinstance(value, int) and value // divisor in _PLAUSIBLE_SECONDS for value in values)
