"""From messages to the records in them, whatever they are packed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from maskline.drafting.outline import path_text
from maskline.errors import UsageError
from maskline.records import Reason, Redacted
from maskline.streams.columns import Origin, Source
from maskline.streams.failures import InvalidValueError
from maskline.streams.matching import matcher
from maskline.streams.message_file import SampleMessage
from maskline.streams.message_format import Condition, Envelope, MessageFormat
from maskline.streams.opening import MessageOpener, Opened
from maskline.streams.paths import Path
from maskline.streams.payloads import PayloadStore, S3Payloads
from maskline.streams.recognition import recognize


class Records(Redacted, frozen=True):
    """The records of messages that are packed alike.

    Attributes:
        format: How they are packed.
        opened: Each opened, the record in it included.
        conditions: What holds for all of them, and is to stand in ``[match]``.
        otherwise_packed: How many messages are packed otherwise.
        unmatched: How many are packed alike, and the conditions do not hold.
        unreadable: Why others are no records: reasons of rejections, each with how often it came.
    """

    format: MessageFormat
    opened: list[Opened]
    conditions: tuple[Condition, ...]
    otherwise_packed: int
    unmatched: int
    unreadable: dict[str, int]

    def __repr__(self) -> str:
        """Say how many there are, and nothing of them."""
        return f"Records({len(self.opened)})"


class Wish(msgspec.Struct, frozen=True):
    """Which messages are wanted: a source, and the text of the value that it has in them.

    Attributes:
        source: A path, ``attribute:NAME`` or ``envelope:NAME``.
        value: The value as text: ``1`` wants the number and the text.
    """

    source: Source
    value: str

    @classmethod
    def parse(cls, text: str) -> Wish:
        """Read ``kind=OrderPlaced``.

        Raises:
            UsageError: The text does not have this form.
        """
        source, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("has no =; write kind=OrderPlaced")
            parsed = Source.parse(source)
            if parsed.path.finds_many:
                raise ValueError("has an [*], which finds many values; write [0] for the first")
        except ValueError as error:
            raise UsageError(f"match {text!r}: {error}") from None
        return cls(parsed, value)

    @property
    def values(self) -> tuple[str | int | bool, ...]:
        """The values that have this text."""
        values: list[str | int | bool] = [self.value]
        if self.value in ("true", "false"):
            values.append(self.value == "true")
        if self.value.removeprefix("-").isdecimal() and str(int(self.value)) == self.value:
            values.append(int(self.value))
        return tuple(values)


def read_records(
    messages: Sequence[SampleMessage], wishes: Sequence[Wish] = (), payloads: PayloadStore | None = None
) -> Records:
    """Open messages, and return the records of those that are packed as most are.

    Args:
        messages: The messages.
        wishes: What has to hold for a message.
        payloads: Where objects that messages point to are fetched from; S3 if None.

    Raises:
        UsageError: No message has a record, or none is as wished.
        MasklineError: The store of the objects does not answer, or cannot be used.
    """
    store = payloads or S3Payloads()
    unreadable: Counter[str] = Counter()
    by_format: dict[MessageFormat, list[SampleMessage]] = {}
    for message in messages:
        try:
            by_format.setdefault(recognize(message.body, message.attributes, store), []).append(message)
        except InvalidValueError as rejection:
            unreadable[rejection.reason] += 1
    _join_inline_messages(by_format)
    readable: dict[MessageFormat, list[Opened]] = {}
    for packed, alike in by_format.items():
        opened = _with_something_in_it(_opened(alike, MessageOpener(packed, store), unreadable), unreadable)
        if opened:
            readable[_with_common_root(packed, opened)] = opened
    if not readable:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in unreadable.most_common())
        raise UsageError(f"messages: none of {len(messages):,} has a JSON object in it ({reasons}); write one a line")
    wanted = {
        packed: [each for each in opened if all(_is_as_wished(wish, each) for wish in wishes)]
        for packed, opened in readable.items()
    }
    packed = max(wanted, key=lambda each: len(wanted[each]))
    if not wanted[packed]:
        wished = " and ".join(f"{wish.source}={wish.value}" for wish in wishes)
        raise UsageError(f"match: none of {len(messages):,} messages has {wished}")
    return Records(
        format=packed,
        opened=wanted[packed],
        conditions=tuple(_condition(wish, wanted[packed]) for wish in wishes),
        otherwise_packed=sum(len(opened) for other, opened in readable.items() if other != packed),
        unmatched=len(readable[packed]) - len(wanted[packed]),
        unreadable=dict(unreadable),
    )


def attribute_source(name: str) -> str | None:
    """Return the source of a message attribute, or None where a definition has no way to name it.

    Args:
        name: The attribute.
    """
    try:
        return str(Source.parse(f"{Origin.ATTRIBUTE}:{name}"))
    except ValueError:
        return None


def _common_root(records: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Return the names that lead to the record where all else is wrapping: objects that hold one object each.

    Args:
        records: What is inside the envelopes of messages.
    """
    names: list[str] = []
    inner: Sequence[Mapping[str, object]] = records
    while True:
        only = {tuple(record) for record in inner}
        if len(only) != 1 or len(next(iter(only))) != 1:
            return tuple(names)
        (name,) = next(iter(only))
        children = [record[name] for record in inner]
        objects = [child for child in children if isinstance(child, dict) and child]
        if len(objects) < len(children):
            return tuple(names)
        names.append(name)
        inner = objects


def _join_inline_messages(by_format: dict[MessageFormat, list[SampleMessage]]) -> None:
    """Put messages that came inline to those whose like was left in S3: ``s3-pointer`` takes both."""
    for pointing in [packed for packed in by_format if Envelope.S3_POINTER in packed.envelopes]:
        inline = MessageFormat(
            envelopes=tuple(each for each in pointing.envelopes if each is not Envelope.S3_POINTER),
            packings=pointing.packings,
        )
        by_format[pointing] += by_format.pop(inline, [])


def _with_common_root(packed: MessageFormat, opened: Sequence[Opened]) -> MessageFormat:
    """Leave out of the records what is only wrapped around all of them, and return the format that says so."""
    names = _common_root([each.record for each in opened])
    for each in opened:
        for name in names:
            inner = each.record[name]
            assert isinstance(inner, dict), "the root is an object in all of them"
            each.record = inner
    return msgspec.structs.replace(packed, root=Path.parse(path_text(names)) if names else None)


def _opened(messages: Sequence[SampleMessage], opener: MessageOpener, unreadable: Counter[str]) -> list[Opened]:
    opened = []
    for message in messages:
        try:
            opened.append(opener.open(message.body, message.attributes))
        except InvalidValueError as rejection:
            unreadable[rejection.reason] += 1
    return opened


def _with_something_in_it(opened: list[Opened], unreadable: Counter[str]) -> list[Opened]:
    """Leave empty objects out, unless there are no others: under them every field would be one that may be absent."""
    holding = [each for each in opened if each.record or each.attributes]
    if not holding:
        return opened
    if len(holding) < len(opened):
        unreadable[Reason.MISSING_FIELD] += len(opened) - len(holding)
    return holding


def _is_as_wished(wish: Wish, opened: Opened) -> bool:
    return matcher([Condition(wish.source, wish.values)])(opened)


def _condition(wish: Wish, opened: Sequence[Opened]) -> Condition:
    """Return the line of ``[match]``, with those of the values that came."""
    values = tuple(value for value in wish.values if any(map(matcher([Condition(wish.source, (value,))]), opened)))
    return Condition(wish.source, values)
