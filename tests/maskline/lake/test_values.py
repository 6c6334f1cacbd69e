"""Values of every type go to both copies; those that Python or Arrow cannot hold stop no publication."""

from __future__ import annotations

import functools
import json
import threading
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from maskline.keys import Keyset, open_keyset
from maskline.lake.copies import Copy
from maskline.lake.remask import LakeRemasker
from maskline.lake.row_batches import Oddities
from maskline.lake.source import RowSource
from maskline.lake.table import LakeTable
from maskline.lake.verification import Verification, Verifier
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import Connection, connect
from maskline.postgres.ddl import create_table
from maskline.postgres.remask import Remasker
from maskline.postgres.remask_statements import stream_table
from maskline.streams.definition import parse_stream
from tests.e2e.conftest import login
from tests.maskline.keysets import OTHER_KEY, aes_siv_key, opened, stored
from tests.maskline.lake.copies import lake_table, publish, publisher, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import message_id, run

MOMENTS = parse_stream(
    """
name = "moments"
table = "moments"
[columns.at]
type = "timestamptz"
nullable = true
[columns.on_day]
type = "date"
nullable = true
[columns.price]
type = "numeric(10, 2)"
nullable = true
[columns.measured]
type = "double precision"
nullable = true
[columns.times]
type = "timestamptz[]"
nullable = true
""",
    "test",
)
LISTS = parse_stream(
    """
name = "lists"
table = "lists"
[columns.user_id]
type = "text"
clear = true
[columns.tags]
type = "text[]"
clear = true
[columns.sizes]
type = "integer[]"
[columns.prices]
type = "numeric(6, 2)[]"
[columns.ids]
type = "uuid[]"
[columns.flags]
type = "boolean[]"
[columns.days]
type = "date[]"
[columns.masked_names]
field = "names"
type = "text[]"
mask = "deterministic"
[columns.masked_notes]
field = "notes"
type = "jsonb"
mask = "leaves"
""",
    "test",
)
LIST = {
    "user_id": "u",
    "tags": ["a", 'it\'s "b"'],
    "sizes": [3, 1, 2],
    "prices": [1.5, 20],
    "ids": ["6f9619ff-8b86-4011-b42d-00c04fc964ff"],
    "flags": [True, False],
    "days": ["2026-02-01"],
    "names": ["Ann", "Bob"],
    "notes": {"b": "x", "a": [1.50, True, None]},
}
SENT_AT = "2026-01-31T10:00:00Z"
OLD = opened(7)
ROTATED = open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8))


def verify(dsn: str, table: LakeTable, keyset: Keyset | None = None) -> Verification:
    """Compare a copy with its table."""
    source = RowSource(functools.partial(connect, dsn), table.stream)
    return Verifier(source, table, Masker(keyset) if keyset else None).verify()


def insert_moments(database: Connection, *rows: dict[str, Any]) -> None:
    """Make the table of moments, and insert rows as somebody before the job could have."""
    run(database, create_table(MOMENTS))
    for number, row in enumerate(rows):
        values = {"create_date": "2026-01-31", "message_id": message_id(number), "key_id": 1, "sent_at": SENT_AT} | row
        run(
            database,
            f"INSERT INTO moments ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",
            list(values.values()),
        )


def test_times_are_the_same_whatever_time_zone_the_environment_sets(
    dsn: str, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"
    insert_moments(database, {"at": first, "times": f"{{{first},{last}}}"}, {"at": last, "on_day": "0001-01-01"})
    monkeypatch.setenv("PGTZ", "America/New_York")
    monkeypatch.setenv("PGDATESTYLE", "German, DMY")

    assert publish(dsn, lake_table(tmp_path, stream=MOMENTS)) == 2

    assert rows_in(tmp_path, "at", "times", "on_day") == [
        (datetime(1, 1, 1, tzinfo=UTC), [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)], None),
        (datetime.max.replace(tzinfo=UTC), None, date(1, 1, 1)),
    ]
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    assert verify(dsn, lake_table(tmp_path, stream=MOMENTS)).differences == []


def test_what_no_lake_can_hold_is_null_there_counted_and_named_and_all_else_as_it_is(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    insert_moments(
        database,
        {"at": "infinity", "on_day": "-infinity", "price": "NaN", "measured": "-infinity", "times": "{infinity}"},
        {"at": "12000-01-01 00:00:00.000001+00", "on_day": "12000-01-01", "price": "1.25"},
        {"at": "0044-03-15 12:00:00.5+00 BC", "on_day": "0044-03-15 BC", "create_date": "infinity"},
        {"at": "294276-12-31 23:59:59+00", "on_day": "5874897-12-31"},
    )

    (publication,) = publisher(dsn, lake_table(tmp_path, stream=MOMENTS)).publish()

    counts = {"at": 2, "on_day": 1, "price": 1, "times": 1, "create_date": 1}
    named = [(0, "at"), (3, "at"), (0, "on_day"), (0, "price"), (0, "times"), (2, "create_date")]
    assert publication.oddities.not_held == Counter(counts)
    assert sorted(publication.oddities.rows) == sorted(f"row {message_id(n)}: {column}" for n, column in named)
    table: Any = pa.table(DeltaTable(str(tmp_path)).to_pyarrow_table()).sort_by("message_id")
    assert table["at"].cast(pa.int64()).to_pylist() == [None, 316_516_204_800_000_001, -63_517_780_799_500_000, None]
    assert table["on_day"].cast(pa.int32()).to_pylist() == [None, 3_663_382, -735_160, 2_145_042_905]
    assert table["price"].to_pylist() == [None, Decimal("1.25"), None, None]
    assert table["measured"].to_pylist() == [float("-inf"), None, None, None]
    assert table["times"].to_pylist() == [[None], None, None, None]
    assert table["create_date"].to_pylist() == [date(2026, 1, 31), date(2026, 1, 31), None, date(2026, 1, 31)]
    found = verify(dsn, lake_table(tmp_path, stream=MOMENTS))
    assert (found.differences, found.oddities.not_held) == ([], Counter(counts))


def test_what_a_table_holds_beyond_its_definition_is_counted_too(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    insert_moments(database, {"price": 1})
    run(database, "ALTER TABLE moments ALTER COLUMN price TYPE numeric")
    run(database, "UPDATE moments SET price = 1e30")

    (publication,) = publisher(dsn, lake_table(tmp_path, stream=MOMENTS)).publish()

    assert publication.oddities == Oddities(0, Counter({"price": 1}), [f"row {message_id(0)}: price"])


def test_lists_and_documents_go_to_both_copies_masked_and_in_clear(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    run(database, create_table(LISTS))
    (written,) = write_masked(dsn, OLD, [json.dumps(LIST)], LISTS)
    opaque = lake_table(tmp_path / "opaque", stream=LISTS)
    clear = lake_table(tmp_path / "clear", Copy.CLEARTEXT, LISTS)

    assert publish(dsn, opaque) == publish(dsn, clear, OLD) == 1

    names = ["message_id", "tags", "sizes", "prices", "ids", "flags", "days"]
    values = [
        LIST["tags"],
        [3, 1, 2],
        [Decimal("1.50"), Decimal("20.00")],
        LIST["ids"],
        [True, False],
        [date(2026, 2, 1)],
    ]
    assert rows_in(tmp_path / "opaque", *names) == rows_in(tmp_path / "clear", *names) == [(written, *values)]
    assert rows_in(tmp_path / "clear", "names") == [["Ann", "Bob"]]
    (notes,) = rows_in(tmp_path / "clear", "notes")
    assert json.loads(notes) == LIST["notes"]
    masker = Masker(OLD)
    tokens = [masker.mask(name, "lists.masked_names") for name in ("Ann", "Bob")]
    assert rows_in(tmp_path / "opaque", "masked_names") == [tokens]
    assert verify(dsn, opaque).differences == verify(dsn, clear, OLD).differences == []


def test_lists_and_documents_follow_a_rotation_of_keys(dsn: str, database: Connection, tmp_path: Path) -> None:
    run(database, create_table(LISTS))
    write_masked(dsn, OLD, [json.dumps(LIST)], LISTS)
    opaque = lake_table(tmp_path, stream=LISTS)
    publish(dsn, opaque)

    remasker = Remasker(functools.partial(connect, dsn), stream_table(LISTS, ROTATED), ROTATED, threading.Event())
    assert sum(step.remasked for step in remasker.run()) == 1
    assert LakeRemasker(opaque, ROTATED).remask().rows == 1

    assert verify(dsn, opaque).differences == []


def test_an_array_with_a_value_in_clear_among_its_tokens_is_not_published(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    run(database, create_table(LISTS))
    (written,) = write_masked(dsn, OLD, [json.dumps(LIST)], LISTS)
    run(database, "ALTER TABLE lists DROP CONSTRAINT masked_names_is_masked")
    run(database, "UPDATE lists SET masked_names[2] = 'Bob'")

    with pytest.raises(Exception, match=f"row {written}: what is in masked_names is no token, and may be in clear"):
        publish(dsn, lake_table(tmp_path, stream=LISTS))


def test_rows_older_than_the_job_stay_as_they_are_in_both_copies_and_are_counted(
    dsn: str, database: Connection, keyset: Keyset, tmp_path: Path
) -> None:
    run(database, "INSERT INTO user_logins (masked_ip, masked_device_id) VALUES ('masked elsewhere', NULL)")
    written = write_masked(dsn, keyset, [login(1)])
    opaque, clear = lake_table(tmp_path / "opaque"), lake_table(tmp_path / "clear", Copy.CLEARTEXT)

    (in_tokens,) = publisher(dsn, opaque).publish()
    (in_clear,) = publisher(dsn, clear, keyset).publish()

    assert in_tokens.oddities == in_clear.oddities == Oddities(older_rows=1)
    assert rows_in(tmp_path / "clear", "message_id", "ip") == sorted(
        [(None, "masked elsewhere"), (written[0], "198.51.0.1")], key=str
    )
    assert rows_in(tmp_path / "opaque", "message_id", "key_id") == sorted(
        [(None, None), (written[0], keyset.primary_key_id)], key=str
    )
    assert verify(dsn, opaque).differences == verify(dsn, clear, keyset).differences == []
