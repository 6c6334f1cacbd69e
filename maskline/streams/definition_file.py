"""A definition as its TOML file has it, and everything that is checked before the first message."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import msgspec

from maskline.records import Reason
from maskline.streams.column_file import checked_column, is_identifier
from maskline.streams.column_keys import ColumnFile
from maskline.streams.columns import Column, Origin, Plain, Source
from maskline.streams.domains import Domain, DomainFile, check_shared_domains, checked_domain
from maskline.streams.message_format import Condition, Envelope, Example, MessageFormat, Packing
from maskline.streams.paths import Path
from maskline.streams.stream import JOB_COLUMNS, JOB_TABLES, WRITTEN_IN, StreamDefinition
from maskline.streams.subjects import check_subject_columns, default_subject

_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_WRONG_TYPE = re.compile(r"Expected `([^`]+)`, got `(\w+)` - at `\$\.([\w.]+)`")
_TYPE_NAMES = {
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list in brackets",
    "object": "a table",
}
"""What TOML has, in words."""

_IDENTIFIER_RULE = "is not an identifier of lower-case letters, digits and _ (63 at most)"


class _MessageFile(msgspec.Struct, forbid_unknown_fields=True):
    envelope: list[Envelope] = []
    decode: list[Packing] = []
    root: str | None = None
    unknown: Literal["ignore", "reject"] = "ignore"
    delete_payload: bool = False


class _ExampleFile(msgspec.Struct, forbid_unknown_fields=True):
    body: str
    attributes: dict[str, str] = {}
    row: dict[str, Plain | list[Plain]] = {}
    null: list[str] = []
    rejected: Reason | None = None


class _SubjectFile(msgspec.Struct, forbid_unknown_fields=True):
    columns: list[str]


class _StreamFile(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    table: str
    columns: dict[str, object]
    message: _MessageFile = msgspec.field(default_factory=_MessageFile)
    match: dict[str, object] = {}
    subject: _SubjectFile | None = None
    domains: dict[str, object] = {}
    test: list[_ExampleFile] = []


def parse_definition(text: str) -> StreamDefinition:
    """Read a definition and check all of it.

    Args:
        text: The TOML text.

    Raises:
        ValueError: It is not a sound definition; the message names the column and says what to write instead.
    """
    try:
        file = msgspec.toml.decode(text, type=_StreamFile)
    except msgspec.ValidationError as error:
        raise ValueError(_with_known_keys(str(error))) from None
    _check_names(file)
    message_format = _message_format(file.message)
    domains = {name: _domain(name, described) for name, described in file.domains.items()}
    columns = tuple(_column(file, name, described, domains) for name, described in file.columns.items())
    _check_domains(domains, columns)
    conditions = tuple(_condition(file, name, values) for name, values in file.match.items())
    return StreamDefinition(
        name=file.name,
        table=file.table,
        columns=columns,
        format=message_format,
        conditions=conditions,
        rejects_unknown=file.message.unknown == "reject",
        deletes_payloads=file.message.delete_payload,
        examples=tuple(_example(file, number, example) for number, example in enumerate(file.test, 1)),
        subject=_subject(file, columns),
    )


def _check_names(file: _StreamFile) -> None:
    if not is_identifier(file.name):
        raise ValueError(f"name {file.name!r} {_IDENTIFIER_RULE}")
    parts = file.table.split(".")
    if len(parts) > 2 or not all(map(is_identifier, parts)):
        raise ValueError(f"table {file.table!r} {_IDENTIFIER_RULE}, or two of them, schema.table")
    if parts[-1] in JOB_TABLES:
        raise ValueError(f"table {file.table!r} is one of maskline's own")
    if not file.columns:
        raise ValueError("a stream needs at least one column")


def _message_format(message: _MessageFile) -> MessageFormat:
    may_be_bytes = {Envelope.S3_POINTER, Envelope.CLOUDEVENTS} & set(message.envelope)
    if message.decode and message.decode[0] in (Packing.GZIP, Packing.ZSTD) and not may_be_bytes:
        first = message.decode[0]
        raise ValueError(
            f"[message] decode: {first} makes bytes, which a message cannot hold but in base64; "
            f'write decode = ["base64", "{first}"]'
        )
    if len(set(message.envelope)) < len(message.envelope):
        raise ValueError("[message] envelope: names one twice; an envelope within its like is not supported")
    if message.delete_payload and Envelope.S3_POINTER not in message.envelope:
        raise ValueError('[message] delete_payload: goes with envelope = ["s3-pointer"]')
    root = None
    if message.root is not None:
        try:
            root = Path.parse(message.root)
        except ValueError as error:
            raise ValueError(f"[message] root: {error}") from None
        if root.finds_many:
            raise ValueError("[message] root: has an [*], and a message is one row; write [0] for the first")
    return MessageFormat(envelopes=tuple(message.envelope), packings=tuple(message.decode), root=root)


def _domain(name: str, described: object) -> Domain:
    try:
        return checked_domain(msgspec.convert(described, DomainFile))
    except ValueError as error:
        raise ValueError(f"domain {name!r}: {error}") from None


def _check_domains(domains: dict[str, Domain], columns: tuple[Column, ...]) -> None:
    used = {column.domain for column in columns}
    for name in domains:
        if name not in used:
            raise ValueError(
                f"domain {name!r}: no column is of it; write domain = {json.dumps(name)} in those that are"
            )
    check_shared_domains((f"column {column.name!r}", column) for column in columns)


def _column(file: _StreamFile, name: str, described: object, domains: dict[str, Domain]) -> Column:
    if not is_identifier(name):
        raise ValueError(f"column {name!r} {_IDENTIFIER_RULE}")
    if name in JOB_COLUMNS or name == WRITTEN_IN:
        raise ValueError(f"column {name!r} is filled by the job itself and cannot come from a message")
    if name in _SYSTEM_COLUMNS:
        raise ValueError(f"column {name!r} is one that Postgres has in every table; give it another name")
    try:
        column = checked_column(file.name, name, msgspec.convert(described, ColumnFile), domains)
        _check_source(file, column.source)
    except ValueError as error:
        raise ValueError(f"column {name!r}: {_with_known_keys(str(error))}") from None
    return column


def _with_known_keys(problem: str) -> str:
    """Return what msgspec says of a key in words of TOML, with the keys that there are where it is none of them."""
    wrong = _WRONG_TYPE.fullmatch(problem)
    if wrong is not None:
        expected = " or ".join(_TYPE_NAMES.get(each, each) for each in wrong[1].split(" | ") if each != "null")
        return f"{wrong[3]} is {_TYPE_NAMES.get(wrong[2], wrong[2])}; write {expected}"
    unknown = _UNKNOWN_KEY.fullmatch(problem)
    if unknown is None:
        return problem
    return f"has no key {unknown[1]!r}; those are: {', '.join(ColumnFile.__struct_fields__)}"


def _condition(file: _StreamFile, name: str, described: object) -> Condition:
    values: list[Any] = described if isinstance(described, list) else [described]
    try:
        source = Source.parse(name)
        _check_source(file, source)
        if source.path.finds_many:
            raise ValueError("has an [*], which finds many values; write [0] for the first")
        if not values or not all(isinstance(value, str | int) for value in values):
            raise ValueError("is a text, an integer, true or false, or a list of them")
        if source.origin is Origin.ATTRIBUTE and not all(isinstance(value, str) for value in values):
            raise ValueError("a message attribute is text, whatever its type; write its value as text")
    except ValueError as error:
        raise ValueError(f"[match] {name!r}: {error}") from None
    return Condition(source, tuple(values))


def _example(file: _StreamFile, number: int, example: _ExampleFile) -> Example:
    for name in (*example.row, *example.null):
        if name not in file.columns:
            raise ValueError(f"[[test]] {number}: {name!r} is none of the columns")
    if bool(example.row or example.null) == (example.rejected is not None):
        raise ValueError(f'[[test]] {number}: says what becomes of the body: row = {{…}}, or rejected = "REASON"')
    return Example(example.body, example.attributes, example.row, tuple(example.null), example.rejected)


def _subject(file: _StreamFile, columns: tuple[Column, ...]) -> tuple[str, ...] | None:
    if file.subject is None:
        return default_subject(columns) or None
    check_subject_columns(file.subject.columns, columns)
    return tuple(dict.fromkeys(file.subject.columns))


def _check_source(file: _StreamFile, source: Source) -> None:
    if source.origin is Origin.ENVELOPE and not file.message.envelope:
        raise ValueError(f'{source} needs an envelope; write [message] envelope = ["sns"], say')
