"""Whatever a message is, and wherever a definition looks in it, the database has one outcome of it."""

from __future__ import annotations

import functools
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskline.keys import Keyset
from maskline.postgres.connection import Connection, connect
from maskline.postgres.ddl import create_table
from maskline.postgres.statements import InsertRejections, InsertRowsOfStreams
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Rejection, SqsMessage
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.masking import rejected_by_database
from maskline.streams.stream_set import StreamSet, StreamSetMasker

TYPES = {
    "texts": ("text", 'mask = "deterministic"\nformat = "text"'),
    "lists": ("text[]", 'mask = "deterministic"\nnullable = true'),
    "whole": ("bigint", "required = false"),
    "times": ("timestamptz", 'nullable = true\nformat = "epoch_ms"'),
    "documents": ("jsonb", "clear = true\nrequired = false\nnullable = true"),
    "flags": ("boolean[]", "required = false"),
}
NAMES = st.sampled_from(["a", "b", "kind"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=20), st.just("AP8=")
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3))
)
STEPS = st.one_of(NAMES.map(".{}".format), st.sampled_from(["[0]", "[*]"]))
PATHS = st.tuples(NAMES, st.lists(STEPS, max_size=3).map("".join)).map("".join)
BODIES = st.one_of(
    st.tuples(st.sampled_from(list(TYPES)), st.dictionaries(NAMES, DOCUMENTS, max_size=3)).map(
        lambda given: json.dumps({"table": given[0], **given[1]})
    ),
    DOCUMENTS.map(json.dumps),
    st.text(st.characters(), max_size=30),
)


def definition(name: str, path: str) -> StreamDefinition:
    """Return a stream with a column of the type that its table has, read from a path."""
    declaration, rules = TYPES[name]
    if "*" in path and not declaration.endswith("[]") and declaration != "jsonb":
        path = path.replace("[*]", "[0]")
    text = f'name = "{name}"\ntable = "{name}"\n[match]\ntable = "{name}"\n'
    return parse_stream(f'{text}[columns.v]\ntype = "{declaration}"\nfield = "{path}"\n{rules}\n', f"{name}.toml")


Writers = tuple[BatchWriter[MaskedRow], BatchWriter[Rejection]]


@pytest.fixture
def connecting(dsn: str, database: Connection) -> functools.partial[Connection]:
    """The way to a database with a table for each type."""
    with database.cursor() as cursor:
        for name in TYPES:
            cursor.execute(create_table(definition(name, "a")).replace('"v" text NOT NULL', '"v" text'))
            cursor.execute(f'ALTER TABLE "{name}" ALTER COLUMN v DROP NOT NULL')
    return functools.partial(connect, dsn)


def written(connecting: functools.partial[Connection], streams: StreamSet, outcomes: list[object]) -> None:
    """Write outcomes as the job does."""
    never = threading.Event()
    rows = BatchWriter(connecting, InsertRowsOfStreams(streams.streams), 0, never)
    rejections = BatchWriter(connecting, InsertRejections(), 0, never)
    found = rows.write([outcome for outcome in outcomes if isinstance(outcome, MaskedRow)])
    refused = [rejected_by_database(each.record, each.record.stream, each.detail) for each in found.rejected]
    rejections.write([*(outcome for outcome in outcomes if isinstance(outcome, Rejection)), *refused])
    rows.close()
    rejections.close()


def message_ids(database: Connection, table: str) -> Iterator[str]:
    """Return the message ids of a table."""
    with database.cursor() as cursor:
        cursor.execute(f'SELECT message_id::text FROM "{table}"')
        yield from (message_id for (message_id,) in cursor)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(BODIES, min_size=1, max_size=20), st.lists(PATHS, min_size=len(TYPES), max_size=len(TYPES)))
def test_any_document_and_any_path_have_one_outcome_in_the_database(
    connecting: functools.partial[Connection],
    database: Connection,
    keyset: Keyset,
    bodies: list[str],
    paths: list[str],
) -> None:
    streams = StreamSet(tuple(map(definition, TYPES, paths)))
    masker = StreamSetMasker(streams, keyset)
    messages = [SqsMessage(str(uuid.uuid4()), "handle", body, datetime.now(UTC), 1) for body in bodies]

    written(connecting, streams, [masker.mask(message) for message in messages])

    found = [message_id for table in (*TYPES, "rejected_messages") for message_id in message_ids(database, table)]
    sent = {message.message_id for message in messages}
    assert sorted(message_id for message_id in found if message_id in sent) == sorted(sent)
    assert sorted(found) == sorted(message_ids(database, "maskline_outcomes"))
