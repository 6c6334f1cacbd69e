"""Whether a rejected message belongs to a person, judged by what is in it and never by similarity.

A message is *theirs* where the field that the stream's definition names says so, or one of a name like it (``userId``,
``user.id``, ``"user_id": "…"`` in a text that is cut off), and nothing in it names somebody else. It is *undecided*
where it mentions them and does not say whose it is, or names several. A few digits in a text are no mention: they may
be anything.
"""

from __future__ import annotations

import contextlib
import enum
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from maskline.records import Payload, Reason
from maskline.streams.failures import InvalidValueError
from maskline.streams.kept_message import kept_message
from maskline.streams.message_format import Packing
from maskline.streams.opening import MAX_RECORD_BYTES, MessageOpener, payload_of, source_finder
from maskline.streams.subjects import Subject, plain_name
from maskline.streams.unpacking import compression_of, text_of, unpack

MIN_MENTIONED_DIGITS = 6
"""A number of fewer digits is no mention of anybody."""

_MAX_DEPTH = 64
_MIN_PACKED_CHARACTERS = 16
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]+={0,2}\s*")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_UNICODE_ESCAPE = re.compile(r"\\+u([0-9A-Fa-f]{4})")
_ESCAPED_MARK = re.compile(r"\\+([\"'/])")
# Looked ahead for: what follows a name may be a pair itself, as in "failed: user_id=7". Ruby and PHP write =>.
_PAIR = re.compile(
    r"""(?<![\w.-])(?=(?P<name>[A-Za-z_][\w.-]*)["']?\s*(?:=>|:=|==|[:=])\s*"""
    r"""(?:(?P<quote>["'])(?P<quoted>(?:(?!(?P=quote)).)*)(?P<end>["'])?|(?P<bare>[^\s"'&,;(){}\[\]<>]+)))""",
    re.DOTALL,
)
_BARE_WORD = re.compile(r"""[^\s"'&,;(){}\[\]<>]+""")
_BARE_END = re.compile(r"""["'&,;(){}\[\]<>\n\r]""")
_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)(?:\s[^<>]*)?>([^<>]*)</")
_WRAPPERS = frozenset(
    {"body", "data", "detail", "event", "message", "messageattributes", "messages", "payload", "record", "records"}
)
"""Names of fields, as `plain_name` has them, that hold a whole message and no other person's part of one."""

_TYPED_VALUES = frozenset(
    {
        *("Value", "StringValue"),
        *("S", "N"),
        *("string", "int", "long"),
        *("stringValue", "integerValue"),
        *("$oid", "$uuid", "$numberInt", "$numberLong"),
    }
)
"""Names of fields that hold a value beside its type: in SNS and SQS, DynamoDB, Avro's JSON, Firestore and MongoDB."""


class Verdict(enum.Enum):
    """To whom a rejected message belongs."""

    THEIRS = "theirs"
    NOT_THEIRS = "not theirs"
    UNDECIDED = "undecided"


class _Step(msgspec.Struct, frozen=True):
    """A name on the path to a value, and whether what it names is the message itself, wrapped."""

    name: str
    is_wrapper: bool


_Path = tuple[_Step, ...]


class _Pairs(list[tuple[str, object]]):
    """An object with every pair of it: one that says a name twice means two things."""


class _Found(msgspec.Struct):
    named: set[str] = set()
    mentions_them: bool = False
    cannot_be_read: bool = False


class MessageJudge:
    """Says whether messages belong to some persons.

    Args:
        subjects: Where the streams say whose a row is.
        by: What that is called.
        persons: The persons, as somebody writes them.
    """

    def __init__(self, subjects: Sequence[Subject], by: str, persons: Sequence[str]) -> None:
        self._persons = frozenset(persons)
        self._likenesses = frozenset(map(_likeness, persons))
        self._max_characters = 2 * max(map(len, persons), default=0) + 16  # written with more blanks, say
        self._by_first_word: dict[str, list[str]] = {}
        for person in persons:
            first = _BARE_WORD.match(person)
            if first is not None and first[0] != person:
                self._by_first_word.setdefault(first[0], []).append(person)
        self._values = [(subject, {subject.value_of(person) for person in persons} - {None}) for subject in subjects]
        self._names = frozenset({plain_name(by.removeprefix("masked_"))}).union(*(each.names for each in subjects))
        self._streams = [
            (subject.stream.name, MessageOpener(subject.stream.format, _NoPayloads()), source_finder(column.source))
            for subject in subjects
            for column in [subject.column]
        ]
        roots = [subject.stream.format.root for subject in subjects if subject.stream.format.root]
        self._wrappers = _WRAPPERS | {
            plain_name(step) for root in roots for step in root.steps if isinstance(step, str)
        }
        self._mention = _mention_of(persons)

    def verdict(self, stream: str, kept: str) -> Verdict:
        """Judge one message.

        Args:
            stream: The name of the stream that rejected it.
            kept: Its body, or what `maskline.streams.kept_message` made of body and attributes.
        """
        message = kept_message(kept)
        named = set(self._named_by_stream(stream, message.body, message.attributes))
        if any(map(self._is_person, named)):
            return Verdict.THEIRS
        found = self._searched(message.body, message.attributes)
        are_theirs = set(map(self._is_person, found.named))
        if True in are_theirs:
            return Verdict.UNDECIDED if named or False in are_theirs else Verdict.THEIRS
        if named or found.named:
            resembles_them = not self._likenesses.isdisjoint(map(_likeness, named | found.named))
            return Verdict.UNDECIDED if resembles_them else Verdict.NOT_THEIRS
        return Verdict.UNDECIDED if found.mentions_them or found.cannot_be_read else Verdict.NOT_THEIRS

    def owners(self, stream: str, body: str, attributes: Mapping[str, str] | None = None) -> set[str]:
        """Return the persons that a message belongs to; none if it names several and the stream does not say which.

        Args:
            stream: The name of the stream that rejects it.
            body: Its body.
            attributes: Its message attributes.
        """
        named = set(self._named_by_stream(stream, body, attributes))
        if named:
            return named
        found = self._searched(body, attributes)
        return found.named if len(found.named) == 1 else set()

    def _searched(self, body: str, attributes: Mapping[str, str] | None) -> _Found:
        found = _Found()
        self._search_text(body, (), found, 0)
        self._search_value(_Pairs((attributes or {}).items()), (), found, 0)
        return found

    def _named_by_stream(self, stream: str, body: str, attributes: Mapping[str, str] | None) -> Iterator[str]:
        """Yield whose the message is by the fields of its stream, where it can be opened as the definition says."""
        for name, opener, find in self._streams:
            if name == stream:
                with contextlib.suppress(InvalidValueError):
                    yield from _texts(find(opener.open(body, attributes)))

    def _is_person(self, text: str) -> bool:
        return text in self._persons or any(subject.value_of(text) in values for subject, values in self._values)

    def _search_text(self, text: str, path: _Path, found: _Found, depth: int) -> None:
        if depth > _MAX_DEPTH:
            found.cannot_be_read = True
            return
        document = _json_in(text)
        if document is not None:
            with contextlib.suppress(InvalidValueError):
                found.cannot_be_read |= payload_of(text) is not None
            self._search_value(document, path, found, depth + 1)
            return
        self._search_prose(text, found)
        try:
            packed = _packed_in(text)
        except InvalidValueError:
            found.cannot_be_read = True
        else:
            if packed is not None:
                self._search_text(packed, path, found, depth + 1)

    def _search_value(self, value: object, path: _Path, found: _Found, depth: int) -> None:
        if depth > _MAX_DEPTH:
            found.cannot_be_read = True
        elif isinstance(value, _Pairs):
            for key, inner in value:
                found.mentions_them |= self._mention.search(key) is not None
                name = plain_name(key)
                is_wrapper = len(value) == 1 or name in self._wrappers or _holds_message(inner)
                self._search_field(inner, (*path, _Step(name, is_wrapper)), found, depth)
        elif isinstance(value, list):
            for inner in value:
                self._search_field(inner, path, found, depth)
        elif isinstance(value, str):
            self._search_text(value, path, found, depth + 1)
        elif (number := _whole_number(value)) is not None:
            found.mentions_them |= self._mention.search(number) is not None

    def _search_field(self, value: object, path: _Path, found: _Found, depth: int) -> None:
        lengths = range(1, len(path) + 1)
        named = [length for length in lengths if "".join(step.name for step in path[-length:]) in self._names]
        for text in _texts(value) if named else ():
            if any(all(step.is_wrapper for step in path[:-length]) for length in named):
                found.named.add(text)
            else:
                found.mentions_them |= self._is_person(text)
        self._search_value(value, path, found, depth + 1)

    def _search_prose(self, text: str, found: _Found) -> None:
        text = _without_escapes(text)
        found.mentions_them |= self._mention.search(text) is not None
        is_cut_off = text.lstrip().startswith(("{", "[", '"'))
        for pair in _PAIR.finditer(text):
            if plain_name(pair["name"]) not in self._names:
                continue
            value = pair["quoted"] if pair["bare"] is None else self._bare_value(text, pair.start("bare"), pair["bare"])
            is_open = pair["end"] is None and max(pair.end("quoted"), pair.end("bare")) == len(text)
            if is_cut_off and is_open:
                found.mentions_them |= any(person.startswith(value) for person in self._persons)
            else:
                found.named.add(value)
        found.named |= {value.strip() for name, value in _ELEMENT.findall(text) if plain_name(name) in self._names}

    def _bare_value(self, text: str, start: int, word: str) -> str:
        """Return a value that stands without quotation marks: a word, or a person who is several."""
        several = _BARE_END.split(text[start : start + self._max_characters], maxsplit=1)[0].strip()
        if self._is_person(several):
            return several
        return next((person for person in self._by_first_word.get(word, ()) if _is_spelled(person, text, start)), word)


def _mention_of(persons: Sequence[str]) -> re.Pattern[str]:
    """Return the pattern of a text that mentions one of some persons; of a few digits nobody can tell what they are."""
    names = [person for person in persons if not person.isdecimal() or len(person) >= MIN_MENTIONED_DIGITS]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])" if names else r"(?!)")


class _NoPayloads:
    """Gives out no object of S3."""

    def fetch(self, payload: Payload, max_bytes: int) -> bytes:  # noqa: ARG002 - as `PayloadStore` has it
        raise InvalidValueError(Reason.PAYLOAD_DENIED, "is not fetched")


def _texts(value: object) -> Iterator[str]:
    """Yield the texts and whole numbers of a field, those in a list or a message attribute included."""
    if isinstance(value, str):
        yield value
    elif (number := _whole_number(value)) is not None:
        yield number
    elif isinstance(value, _Pairs):
        for key, inner in value:
            if key in _TYPED_VALUES and not isinstance(inner, list):
                yield from _texts(inner)
    elif isinstance(value, list):
        for element in value:
            yield from _texts(element)


def _whole_number(value: object) -> str | None:
    """Return an integer as text, ``7.0`` included, which some programs make of one."""
    if type(value) is int:
        return str(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else None


def _likeness(text: str) -> str:
    """Return what two ways to write one person have in common, so that somebody looks at both."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _is_spelled(person: str, text: str, start: int) -> bool:
    end = start + len(person)
    return text.startswith(person, start) and not text[end : end + 1].isalnum()


def _json_in(text: str) -> object | None:
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[", '"')):
        return None
    try:
        found: object = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None
    return found


def _holds_message(value: object) -> bool:
    """Return whether a field is a text that is JSON itself: somebody packed a whole message into it."""
    return isinstance(value, str) and isinstance(_json_in(value), _Pairs)


def _packed_in(text: str) -> str | None:
    """Return what a text is packed from, or None where nothing is known of it.

    Raises:
        InvalidValueError: It is packed, and damaged.
    """
    if _PERCENT.search(text):
        return urllib.parse.unquote_plus(text)
    if len(text) < _MIN_PACKED_CHARACTERS or not _BASE64.fullmatch(text):
        return None
    try:
        content = unpack(text, (Packing.BASE64,), MAX_RECORD_BYTES)
    except InvalidValueError:
        return None
    assert isinstance(content, bytes)
    is_compressed = False
    while packing := compression_of(content):
        is_compressed = True
        unpacked = unpack(content, (packing,), MAX_RECORD_BYTES)
        content = unpacked if isinstance(unpacked, bytes) else unpacked.encode()
    try:
        return text_of(content)
    except InvalidValueError:
        if is_compressed:
            raise
        return None


def _without_escapes(text: str) -> str:
    text = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return _ESCAPED_MARK.sub(r"\1", text)
