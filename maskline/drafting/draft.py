"""A definition drafted from messages: it takes all of them, and no value of theirs stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from maskline.drafting import toml
from maskline.drafting.columns import DraftedColumn, LeftOut, drafted_column
from maskline.drafting.message_kinds import telling_source
from maskline.drafting.names import MASKED, column_name
from maskline.drafting.outline import Emptiness, Field, Place, fields_of, path_text
from maskline.drafting.records import Records, Wish, attribute_source, read_records
from maskline.errors import UsageError
from maskline.records import Redacted
from maskline.streams.column_keys import ColumnFile
from maskline.streams.decoding import MessageDecoder
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.failures import InvalidValueError
from maskline.streams.message_file import SampleMessage
from maskline.streams.message_format import MessageFormat
from maskline.streams.payloads import PayloadStore
from maskline.streams.stream import CLOUDEVENTS_PREFIX

MAX_COLUMNS = 1_000
"""Postgres takes 1,600 at the most, the job's own among them."""

_TECHNICAL_ATTRIBUTES = frozenset(
    {"ExtendedPayloadSize", "SQSLargePayloadSize", "traceparent", "tracestate", "AWSTraceHeader", "contentType"}
)


class Draft(Redacted, frozen=True):
    """A drafted definition.

    Attributes:
        text: The TOML.
        columns: How many columns it has.
        personal: How many of them hold tokens.
        described: How many messages it describes.
        others: How many messages it does not: of another kind, packed otherwise, no records at all, or such as no row
            can be made of.
    """

    text: str
    columns: int
    personal: int
    described: int
    others: int

    def __repr__(self) -> str:
        """Say how large it is."""
        return f"Draft({self.columns} columns)"


def draft_definition(
    messages: Sequence[SampleMessage],
    name: str,
    wishes: Sequence[Wish] = (),
    payloads: PayloadStore | None = None,
) -> Draft:
    """Draft a definition from messages.

    *Guarantee*: the definition loads, and each message that it describes becomes a row under it; those of which none
    can be made are counted, and not described. It holds names of fields, and no value; but names that are values (an
    object with ids for names) are recognized only by their form.

    Args:
        messages: The messages.
        name: The name of the stream and its table, an identifier.
        wishes: What has to hold for the messages that it describes.
        payloads: Where objects that messages point to are fetched from; S3 if None.

    Raises:
        UsageError: There is nothing in the messages that can be a column.
        MasklineError: The store of the objects does not answer, or cannot be used.
    """
    records = read_records(messages, wishes, payloads)
    columns, left_out = _drafted_columns(records)
    if not columns:
        reasons = "; ".join(sorted({f"{each.field} {each.reason}" for each in left_out})[:3])
        raise UsageError(f"messages: nothing in them can be a column{f' ({reasons})' if reasons else ''}")
    definition = "\n".join(
        [
            f"name = {toml.string(name)}",
            f"table = {toml.string(name)}",
            *_message_lines(records.format),
            *_match_lines(records),
            *(line for column in columns for line in [*_column_lines(column), *_domain_lines(column, name)]),
            *_left_out_lines(left_out),
            "",
        ]
    )
    rejected = _rejections(records, parse_stream(definition, name))
    others = {"packed otherwise": records.otherwise_packed, "that do not match": records.unmatched}
    others |= {f"that are no records, {reason}": times for reason, times in records.unreadable.items()}
    others |= {f"of which no row can be made, {reason}": times for reason, times in rejected.items()}
    return Draft(
        text="\n".join([*_header(records, name, others), definition]),
        columns=len(columns),
        personal=sum(column.name.startswith(MASKED) for column in columns),
        described=len(records.opened) - rejected.total(),
        others=sum(others.values()),
    )


def _rejections(records: Records, stream: StreamDefinition) -> Counter[str]:
    """Return why records become no rows under the definition, each reason with how often it came."""
    decoder = MessageDecoder(stream)
    reasons: Counter[str] = Counter()
    for opened in records.opened:
        try:
            decoder.decode_opened(opened)
        except InvalidValueError as rejection:
            reasons[rejection.reason] += 1
    return reasons


def _drafted_columns(records: Records) -> tuple[list[DraftedColumn], list[LeftOut]]:
    place = Place()
    for opened in records.opened:
        place.add(opened.record)
    columns: dict[str, DraftedColumn] = {}
    left_out: list[LeftOut] = []
    for field, kind, names in _sources(records, place):
        if isinstance(kind, Emptiness):
            left_out.append(LeftOut(field, kind.what))
        elif len(columns) >= MAX_COLUMNS:
            left_out.append(LeftOut(field, f"is behind {MAX_COLUMNS:,} columns"))
        else:
            drafted = drafted_column("drafted", field, kind, names, records.opened)
            if isinstance(drafted, LeftOut):
                left_out.append(drafted)
            else:
                named = column_name(names, drafted.file.pii or drafted.file.mask is not None, columns)
                columns[named] = DraftedColumn(named, drafted.file, drafted.reasons, drafted.normalize)
    return list(columns.values()), left_out


def _sources(records: Records, place: Place) -> Iterator[tuple[str, Field | Emptiness, list[str]]]:
    """Return every source there is, each with what is known of it and the names on the way to it."""
    for kind in fields_of(place):
        yield path_text(kind.steps), kind, [step for step in kind.steps if isinstance(step, str)]
    known = {name: None for opened in records.opened for name in opened.attributes}
    for name in known:
        source = attribute_source(name)
        if source and name not in _TECHNICAL_ATTRIBUTES and not name.startswith(CLOUDEVENTS_PREFIX):
            yield source, Field((name,)), [name]


def _header(records: Records, name: str, others: Mapping[str, int]) -> list[str]:
    count = len(records.opened)
    drafted_from = f"{count:,} message{'' if count == 1 else 's'}"
    lines = [
        f"# Drafted from {drafted_from}. Read it through: what says clear is stored",
        "# as it is, a field that no column takes is ignored, and more messages would show better which fields may be",
        "# absent or null.",
        f"# Then: streams try {name}.toml, streams apply {name}.toml, and run --stream {name}.toml",
    ]
    lines += [f"# Not described here are messages {which}: {times:,}." for which, times in others.items() if times]
    telling = telling_source(records.opened)
    if telling:
        source, kinds = telling
        lines += [
            f"# The messages seem to be of {kinds} kinds, told apart by {toml.string(source)}.",
            "# For a definition of each, draft again with --match 'FIELD=VALUE', this field and one of its values.",
        ]
    return lines


def _message_lines(packed: MessageFormat) -> list[str]:
    entries: list[tuple[str, object]] = []
    if packed.envelopes:
        entries.append(("envelope", [str(envelope) for envelope in packed.envelopes]))
    if packed.packings:
        entries.append(("decode", [str(packing) for packing in packed.packings]))
    if packed.root is not None:
        entries.append(("root", packed.root.text))
    return ["", "[message]", *toml.lines(entries, {})] if entries else []


def _match_lines(records: Records) -> list[str]:
    entries: list[tuple[str, object]] = [
        (str(condition.source), condition.values[0] if len(condition.values) == 1 else condition.values)
        for condition in records.conditions
    ]
    return ["", "[match]", *toml.lines(entries, {})] if entries else []


def _column_lines(column: DraftedColumn) -> list[str]:
    file, default = column.file, ColumnFile(type="")
    keys: list[tuple[str, object]] = [
        ("field", None if file.field == column.name else file.field),
        ("type", file.type),
        *((key, getattr(file, key)) for key in ("mask", "pii", "clear", "format", "round", "nullable", "required")),
    ]
    entries = [(key, value) for key, value in keys if value not in (None, getattr(default, key, None))]
    return ["", f"[columns.{column.name}]", *toml.lines(entries, column.reasons)]


def _domain_lines(column: DraftedColumn, stream: str) -> list[str]:
    """Return the rule of the domain that a column has by default."""
    if column.normalize is None:
        return []
    name = toml.string(f"{stream}.{column.name}")
    comments = {"normalize": "however a value is written, it has one token"}
    return ["", f"[domains.{name}]", *toml.lines([("normalize", column.normalize)], comments)]


def _left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    if not left_out:
        return []
    return ["", "# Left out:", *(f"# {toml.string(each.field)}: {each.reason}" for each in left_out)]
