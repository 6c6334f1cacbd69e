"""docs/performance.md and docs/scaling.md hold what the results say, and their SQL does what they promise."""

from __future__ import annotations

import re

import psycopg2
import pytest

from benchmarks.cli import COMMANDS
from benchmarks.commands.report import place_of
from benchmarks.reports import filled
from maskline.postgres.connection import Connection
from maskline.postgres.table_check import check_tables
from maskline.streams.definition import load_stream
from tests.documents import blocks
from tests.e2e.job_process import PROJECT

PERFORMANCE = (PROJECT / "docs" / "performance.md").read_text()
SCALING = (PROJECT / "docs" / "scaling.md").read_text()
ARCHIVE, PARTITIONS = blocks(SCALING, "sql")


@pytest.mark.parametrize("document", [PERFORMANCE, SCALING], ids=["performance", "scaling"])
def test_a_document_holds_what_report_puts_into_it(document: str) -> None:
    assert document == filled(document, place_of)


def test_the_commands_that_the_documents_show_are_known() -> None:
    shown = set(re.findall(r"^python -m benchmarks (\w+)", PERFORMANCE + SCALING, re.MULTILINE))

    assert shown == set(COMMANDS)


def test_rows_older_than_sqs_keeps_messages_move_to_the_archive(database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO user_logins (user_id, message_id, create_date) VALUES"
            " ('old', gen_random_uuid(), current_date - 16), ('new', gen_random_uuid(), current_date - 15)"
        )
        cursor.execute(ARCHIVE)
        cursor.execute("SELECT array_agg(user_id) FROM user_logins")
        kept = cursor.fetchall()
        cursor.execute("SELECT array_agg(user_id) FROM user_logins_archive")
        moved = cursor.fetchall()

    assert (kept, moved) == ([(["new"],)], [(["old"],)])


def test_an_index_on_message_and_date_keeps_a_message_from_becoming_two_rows(database: Connection) -> None:
    insert = (
        "INSERT INTO user_logins_by_date (message_id, create_date) VALUES"
        " ('00000000-0000-4000-8000-000000000001', '2026-11-02')"
    )
    with database.cursor() as cursor:
        cursor.execute(PARTITIONS)
        cursor.execute(f"{insert} ON CONFLICT (message_id, create_date) DO NOTHING")
        cursor.execute(f"{insert} ON CONFLICT (message_id, create_date) DO NOTHING")
        assert cursor.rowcount == 0
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute(insert)


def test_a_partitioned_table_is_taken(database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute(PARTITIONS)
        cursor.execute("ALTER TABLE user_logins RENAME TO user_logins_before")
        cursor.execute("ALTER TABLE user_logins_by_date RENAME TO user_logins")

    assert check_tables(database, load_stream("user_logins")).problems == []
