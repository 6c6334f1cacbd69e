"""docs/streams.md: its examples run, its table has every key of the file, and its ten minutes lead to masked rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from maskline.masks.tokens import token_length
from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.records import Reason
from maskline.sqs import QueueAddress, SqsQueue
from maskline.streams import definition_file
from maskline.streams.column_keys import ColumnFile
from maskline.streams.definition import JOB_COLUMNS, WRITTEN_IN, load_stream
from maskline.streams.domains import DomainFile
from maskline.streams.message_format import Envelope, Packing
from maskline.streams.trial import failed_examples
from tests.documents import blocks, run_commands
from tests.e2e.job_process import PROJECT
from tests.maskline.postgres.records import connected, rows_of
from tests.maskline.streams.shapes import Objects, in_sns

MANUAL = (PROJECT / "docs" / "streams.md").read_text()
EXAMPLES = blocks(MANUAL, "toml")
OBJECTS = Objects(**{"0f1a": '{"user_id": "u5"}'})


def section(heading: str) -> str:
    """Return what stands under a heading."""
    return MANUAL.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_does_what_it_says(number: int, tmp_path: Path) -> None:
    (tmp_path / "example.toml").write_text(EXAMPLES[number])

    stream = load_stream(str(tmp_path / "example.toml"))

    assert stream.examples
    assert failed_examples(stream, OBJECTS) == []


def test_there_is_an_example_of_everything_a_message_is_packed_in() -> None:
    told = set(re.findall(r'"([\w-]+)"', " ".join(re.findall(r"^(?:envelope|decode) = .*$", MANUAL, re.MULTILINE))))

    assert set(map(str, Envelope)) <= told
    assert {str(Packing.BASE64), str(Packing.GZIP)} <= told


def test_the_table_has_every_key_of_the_file_and_no_other() -> None:
    inner = {
        "message": definition_file._MessageFile,
        "subject": definition_file._SubjectFile,
        "domains.NAME": DomainFile,
        "columns.NAME": ColumnFile,
        "test": definition_file._ExampleFile,
    }
    keys = {f"{table}.{key}" for table, struct in inner.items() for key in struct.__struct_fields__}
    whole = {key for key in definition_file._StreamFile.__struct_fields__ if f"{key}.NAME" not in inner}

    assert first_cells(section("Every key of the file")) == keys | (whole - inner.keys())


def test_the_columns_of_the_job_and_the_reasons_are_all_there_are() -> None:
    assert first_cells(section("What the job adds to every row")) == {*JOB_COLUMNS, WRITTEN_IN}
    assert first_cells(section("Why a message is rejected")) == set(map(str, Reason))


def test_the_folder_to_begin_with_is_made_as_the_page_says(tmp_path: Path) -> None:
    messages = [{"id": number, "email": "ann@example.com"} for number in (1, 2)]
    (tmp_path / "messages.jsonl").write_text("\n".join(map(json.dumps, messages)))
    text = section("A folder to begin with")
    ((command, expected),) = re.findall(r"^\$ (.*)\n((?:[^$`].*\n)*)", text, re.MULTILINE)

    ran = run_commands(command, tmp_path, {})

    assert (ran.returncode, ran.stdout) == (0, expected), ran.stderr
    assert first_cells(text) < {file.name for file in (tmp_path / "orders").iterdir()}


ORDER = {
    "kind": "OrderPlaced",
    "customer": {"email": "ann@example.com", "country": "DE"},
    "items": [{"sku": "a", "qty": 2}, {"sku": "b", "qty": 1}],
    "placed_at": "2026-01-31T12:00:00Z",
}
REFUND = {"kind": "OrderRefunded", "amount": 12.5, "reason": "it was too small for me", "card": {"last4": "4242"}}


@pytest.fixture
def variables(queue_address: QueueAddress, unmigrated_dsn: str) -> Mapping[str, str]:
    """What the reader of the page exports."""
    return {
        **CREDENTIALS,
        "MASKLINE_QUEUE": queue_address.queue,
        "MASKLINE_QUEUE_ENDPOINT": str(queue_address.endpoint),
        "MASKLINE_POSTGRES": unmigrated_dsn,
        "MASKLINE_KEYSET": "file:keyset.json",
    }


@pytest.mark.slow
def test_the_ten_minutes_lead_from_two_kinds_behind_sns_to_masked_rows(
    queue: SqsQueue, variables: Mapping[str, str], unmigrated_dsn: str, tmp_path: Path
) -> None:
    queue.send([in_sns(json.dumps({"id": number, **ORDER})) for number in range(4)])
    queue.send([in_sns(json.dumps({"refund_id": number, **REFUND})) for number in range(4)])

    for block in blocks(section("From a queue to rows in ten minutes"), "console"):
        for command, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE):
            ran = run_commands(f"set -o pipefail; {command}", tmp_path, dict(variables))
            allowed = (0, 141) if "| head" in command else (0,)  # head closes the pipe
            assert ran.returncode in allowed, (command, ran.stdout, ran.stderr)
            if expected:
                assert ran.stdout == expected, command

    with connected(unmigrated_dsn) as database:
        orders = rows_of(
            database, "SELECT id, masked_customer_email, customer_country, items_sku FROM orders ORDER BY id"
        )
        refunds = rows_of(database, "SELECT refund_id, amount, masked_reason FROM refunds ORDER BY refund_id")
    assert [(number, country, skus) for number, _, country, skus in orders] == [
        (number, "DE", ["a", "b"]) for number in range(4)
    ]
    assert [(number, amount) for number, amount, _ in refunds] == [(number, Decimal("12.5")) for number in range(4)]
    assert all(len(token) == token_length(len("ann@example.com")) for _, token, _, _ in orders)
    assert all(len(token) == token_length(len("it was too small for me")) for _, _, token in refunds)
    assert queue.depth().total == 0
