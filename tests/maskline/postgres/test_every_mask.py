"""A table with every mask: created by ddl, written by the job, unmasked, re-encrypted, erased from and published."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from maskline.keys import Keyset, open_keyset
from maskline.lake.copies import Copy
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import Connection, connect, open_connection
from maskline.postgres.ddl import create_table
from maskline.postgres.erasure import DatabaseEraser
from maskline.postgres.remask import Remasker
from maskline.postgres.remask_statements import stream_table
from maskline.postgres.statements import InsertRows
from maskline.postgres.table_check import check_tables
from maskline.postgres.token_reader import read_tokens
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, SqsMessage
from maskline.streams.column_mask import element_unmask
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from maskline.streams.masking import MessageMasker
from maskline.streams.subjects import find_subjects
from tests.maskline.keysets import (
    HASH_KEY,
    KEY,
    OTHER_KEY,
    aes_siv_key,
    opened,
    opened_hash,
    reference_hash,
    reference_token,
    stored,
)
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.logins import login, message
from tests.maskline.postgres.records import rows_of, run, value_of

OLD = opened(7)
ROTATED = open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8))

EVERYTHING = """
name = "everything"
table = "everything"
[domains.email]
normalize = "email"
[columns.masked_email]
field = "email"
type = "varchar(400)"
mask = "deterministic"
domain = "email"
pad = 16
[columns.masked_note]
field = "note"
type = "text"
mask = "random"
[columns.email_hash]
field = "email"
type = "char(22)"
mask = "hash"
domain = "email"
[columns.network]
field = "ip"
type = "inet"
mask = "truncate:ip/24,48"
[columns.born]
type = "date"
mask = "truncate:date/year"
[columns.income]
type = "bigint"
mask = "truncate:number/1000"
[columns.name]
type = "text"
mask = "redact"
"""
WITH_DOCUMENTS = (
    EVERYTHING
    + """
[columns.masked_emails]
field = "emails"
type = "varchar(100)[]"
mask = "deterministic"
domain = "others"
nullable = true
[columns.document]
field = "."
type = "jsonb"
mask = "leaves"
clear = ["income"]
"""
)
EMAILS = ["a@x.de", None, 'b"\\@x.de']
BODY: dict[str, object] = {
    "email": "Ann@Example.com",
    "note": "likes cats",
    "ip": "203.0.113.7",
    "born": "1980-05-06",
    "income": 47123,
    "name": "Ann",
    "emails": EMAILS,
}


@pytest.fixture
def everything() -> StreamDefinition:
    return parse_stream(EVERYTHING, "everything.toml")


@pytest.fixture
def with_documents() -> StreamDefinition:
    return parse_stream(WITH_DOCUMENTS, "everything.toml")


def write(dsn: str, database: Connection, stream: StreamDefinition, *bodies: dict[str, object]) -> None:
    """Create the stream's table, and write messages to it as the job does, under the old key."""
    run(database, create_table(stream))
    write_rows(dsn, stream, OLD, *bodies)


def write_rows(dsn: str, stream: StreamDefinition, keyset: Keyset, *bodies: dict[str, object]) -> None:
    """Write messages to the stream's table as the job does."""
    masker = MessageMasker(stream, keyset, hash_keyset=opened_hash())
    outcomes = [
        masker.mask(SqsMessage(str(uuid.uuid4()), "handle", json.dumps(body), datetime.now(UTC), 1)) for body in bodies
    ]
    rows = [outcome for outcome in outcomes if isinstance(outcome, MaskedRow)]
    assert len(rows) == len(bodies), outcomes
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(stream), 0, threading.Event())
    writer.write(rows)
    writer.close()


def unmasked(dsn: str, stream: StreamDefinition, column: str, masker: Masker) -> list[str]:
    """Return what comes back of a column."""
    unmask = element_unmask(stream.column(column), masker)
    with contextlib.closing(connect(dsn)) as connection:
        return [unmask(token) for _, token, _ in read_tokens(connection, stream, column, None)]


def test_the_table_that_ddl_makes_takes_what_every_mask_stores(
    dsn: str, database: Connection, with_documents: StreamDefinition
) -> None:
    write(dsn, database, with_documents, BODY)

    assert check_tables(database, with_documents).problems == []
    assert rows_of(database, "SELECT email_hash, network, born, income, name FROM everything") == [
        (reference_hash(HASH_KEY, "ann@example.com", "email"), "203.0.113.0/24", date(1980, 1, 1), 47000, "[redacted]")
    ]
    whole_row = value_of(database, "SELECT everything::text FROM everything")
    for clear in ("Ann", "ann@example.com", "cats", "203.0.113.7", "1980-05", "x.de"):
        assert clear not in whole_row
    assert value_of(database, "SELECT document ->> 'income' FROM everything") == "47123"


def test_what_is_reversible_comes_back_from_the_table(
    dsn: str, database: Connection, with_documents: StreamDefinition
) -> None:
    write(dsn, database, with_documents, BODY)

    found = {name: unmasked(dsn, with_documents, name, Masker(OLD)) for name in ("masked_email", "masked_note")}

    assert found == {"masked_email": ["ann@example.com"], "masked_note": ["likes cats"]}
    assert unmasked(dsn, with_documents, "masked_emails", Masker(OLD)) == ["a@x.de", 'b"\\@x.de']
    assert [json.loads(text) for text in unmasked(dsn, with_documents, "document", Masker(OLD))] == [BODY]


def test_arrays_documents_and_random_tokens_come_under_the_new_key_and_hashes_stay(
    dsn: str, database: Connection, with_documents: StreamDefinition
) -> None:
    write(dsn, database, with_documents, BODY, BODY | {"emails": None, "note": ""}, BODY | {"emails": []})
    hashes = rows_of(database, "SELECT email_hash FROM everything")
    connecting = functools.partial(open_connection, dsn, options="-c role=maskline_remasker")

    steps = list(Remasker(connecting, stream_table(with_documents, ROTATED), ROTATED, threading.Event(), 0).run())

    assert (sum(step.remasked for step in steps), [row for step in steps for row in step.not_remasked]) == (3, [])
    assert rows_of(database, "SELECT DISTINCT key_id FROM everything") == [(8,)]
    assert rows_of(database, "SELECT email_hash FROM everything") == hashes
    new = Masker(opened(8, OTHER_KEY))
    tokens = [None if text is None else reference_token(OTHER_KEY, 8, str(text), "others") for text in EMAILS]
    arrays = [array for (array,) in rows_of(database, "SELECT masked_emails FROM everything")]
    assert all(array in arrays for array in (None, [], tokens))
    assert sorted(unmasked(dsn, with_documents, "masked_note", new)) == ["", "likes cats", "likes cats"]
    documents = [json.loads(text) for text in unmasked(dsn, with_documents, "document", new)]
    assert BODY in documents
    assert rows_of(database, "SELECT DISTINCT document -> 'income' FROM everything") == [(47123,)]


@pytest.mark.parametrize("copy", Copy)
def test_a_copy_in_the_lake_has_what_comes_back_and_what_does_not(
    dsn: str, database: Connection, everything: StreamDefinition, tmp_path: Path, copy: Copy
) -> None:
    write(dsn, database, everything, BODY)

    publish(dsn, lake_table(tmp_path, copy, everything), OLD if copy is Copy.CLEARTEXT else None)

    irreversible = rows_in(tmp_path, "email_hash", "network", "born", "income", "name")
    hashed = reference_hash(HASH_KEY, "ann@example.com", "email")
    assert irreversible == [(hashed, "203.0.113.0/24", date(1980, 1, 1), 47000, "[redacted]")]
    if copy is Copy.CLEARTEXT:
        assert rows_in(tmp_path, "email", "note") == [("ann@example.com", "likes cats")]
    else:
        assert "cats" not in str(rows_in(tmp_path, "masked_email", "masked_note"))


def test_a_person_who_is_masked_is_erased_by_their_tokens_under_every_key(dsn: str, database: Connection) -> None:
    stream = load_stream("user_logins_masked_id")
    write(dsn, database, stream, json.loads(login(user_id="eve")), json.loads(login(user_id="bob")))
    write_rows(dsn, stream, ROTATED, json.loads(login(user_id=" eve ")))
    subjects = find_subjects([stream], "masked_user_id")

    with contextlib.closing(connect(dsn)) as connection:
        erased = DatabaseEraser(connection, ROTATED, [stream], subjects, "masked_user_id", ["eve"]).erase("a request")

    assert erased.rows == {subjects[0]: 2}
    assert rows_of(database, "SELECT masked_user_id FROM user_logins_masked_id") == [
        (reference_token(KEY, 7, "bob", "user_id"),)
    ]


def test_the_variant_of_user_logins_has_its_tokens_and_no_person_in_clear() -> None:
    stream, other = load_stream("user_logins_masked_id"), load_stream("user_logins")

    row = MessageMasker(stream, OLD).mask(message(login(user_id="eve")))
    same = MessageMasker(other, OLD).mask(message(login(user_id="eve")))

    assert isinstance(row, MaskedRow)
    assert isinstance(same, MaskedRow)
    assert row.values[2:4] == same.values[2:4]
    assert "eve" not in row.values
