"""A second stream is a second file and no code."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from maskline.postgres.connection import Connection
from maskline.sqs import SqsQueue
from tests.e2e.conftest import Ledger, StartJob
from tests.e2e.job_process import JobProcess

ORDERS = Path(__file__).with_name("orders.toml")


def test_orders_go_through_the_whole_job(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, database: Connection, job_options: list[str]
) -> None:
    _create_table(database)
    order = {
        "order_number": 9007199254740993,
        "email": "ann@example.com",
        "total": 12.10,
        "is_gift": True,
        "ordered_at": "2026-01-31T23:30:00-01:00",
        "deliver_on": "2026-02-03",
        "note": None,
    }
    sent = queue.send(
        [
            json.dumps(order),
            json.dumps(order | {"total": "12.10"}),
            json.dumps(order | {"total": 1e11}),
            json.dumps(order | {"total": 1.239}),
        ]
    )

    job = start_job(f"--stream={ORDERS}", "--until_empty")

    assert job.wait() == 0, job.errors
    ledger.check(sent, table="orders")
    with database.cursor() as cursor:
        cursor.execute("SELECT order_number, total, is_gift, ordered_at, deliver_on, note FROM orders")
        assert cursor.fetchall() == [
            (
                9007199254740993,
                Decimal("12.10"),
                True,
                datetime(2026, 2, 1, 0, 30, tzinfo=UTC),
                date(2026, 2, 3),
                None,
            )
        ]
        cursor.execute("SELECT reason FROM rejected_messages ORDER BY reason")
        assert cursor.fetchall() == [("out_of_range",), ("out_of_range",), ("wrong_type",)]
    unmask = JobProcess(
        [
            "unmask",
            f"--stream={ORDERS}",
            "--column=masked_email",
            "--reason=a test",
            job_options[0],
            job_options[3],
        ]
    )
    assert unmask.wait() == 0, unmask.errors
    assert unmask.output.splitlines()[1].endswith(",ann@example.com")


def _create_table(database: Connection) -> None:
    ddl = JobProcess(["ddl", f"--stream={ORDERS}"])
    assert ddl.wait() == 0, ddl.errors
    with database.cursor() as cursor:
        cursor.execute(ddl.output)
