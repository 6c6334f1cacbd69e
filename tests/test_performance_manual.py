"""docs/performance.md and docs/scaling.md hold what the results say, and their SQL does what they promise."""

from __future__ import annotations

import re

import pytest

from benchmarks.cli import COMMANDS
from benchmarks.commands.report import place_of
from benchmarks.reports import filled
from maskline.postgres.connection import Connection
from tests.documents import blocks
from tests.e2e.job_process import PROJECT

PERFORMANCE = (PROJECT / "docs" / "performance.md").read_text()
SCALING = (PROJECT / "docs" / "scaling.md").read_text()
MASKING = (PROJECT / "docs" / "masking.md").read_text()
(ARCHIVE,) = blocks(SCALING, "sql")


@pytest.mark.parametrize("document", [PERFORMANCE, SCALING], ids=["performance", "scaling"])
def test_a_document_holds_what_report_puts_into_it(document: str) -> None:
    assert document == filled(document, place_of)


def test_the_commands_that_the_documents_show_are_known() -> None:
    shown = set(re.findall(r"^`?python -m benchmarks (\w+)", PERFORMANCE + SCALING + MASKING, re.MULTILINE))

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
