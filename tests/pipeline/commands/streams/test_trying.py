"""``streams try`` and ``streams test``: what becomes of messages, told without a database and a keyset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from maskline.sqs import QueueAddress, SqsQueue

ORDERS = """
name = "orders"
table = "orders"
[match]
kind = "OrderPlaced"
[columns.order_id]
field = "id"
type = "bigint"
[columns.masked_email]
field = "customer.email"
type = "text"
pii = true
[columns.note]
type = "text"
clear = true
required = false
"""
REFUNDS = """
name = "refunds"
table = "refunds"
[columns.order_id]
type = "bigint"
"""
ORDER = '{"kind":"OrderPlaced","id":7,"customer":{"email":"ann@example.com"}}'
ESCAPING_ORDER = '{"kind":"OrderPlaced","id":8,"customer":{"email":"b@x.de"},"note":"\\u001b[2J\\nred"}'
REFUND = '{"kind":"Refunded","order_id":7}'
OTHER = '{"kind":"Other"}'


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The definitions of two kinds of message."""
    for name, text in (("orders", ORDERS), ("refunds", REFUNDS)):
        (tmp_path / f"{name}.toml").write_text(text)
    return [str(tmp_path / "orders.toml"), str(tmp_path / "refunds.toml")]


def saved(tmp_path: Path, *messages: str) -> str:
    (tmp_path / "messages.jsonl").write_text("\n".join(messages))
    return str(tmp_path / "messages.jsonl")


def test_each_message_is_shown_with_what_becomes_of_it_and_personal_values_are_not(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(["streams", "try", *files, "--messages", saved(tmp_path, ORDER, REFUND, OTHER, "no JSON")])

    assert exit_code == 1
    assert capsys.readouterr().out.splitlines() == [
        "1: a row of orders: order_id = 7, masked_email = (masked), note = NULL",
        "2: a row of refunds: order_id = 7",
        "3: rejected, missing_field: field order_id missing",
        "4: rejected, not_json: not JSON: Expecting value at character 0",
        "4 messages: 1 row of orders, 1 row of refunds, 1 rejected (missing_field), 1 rejected (not_json).",
    ]


def test_what_looks_like_personal_data_in_a_column_in_clear_is_counted_by_column(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = [
        f'{{"kind":"OrderPlaced","id":{number},"customer":{{"email":"a@x.de"}},"note":"{note}"}}'
        for number, note in enumerate(["call +49 170 1234567", "b@example.com", "leave it at the door"])
    ]

    exit_code = main(["streams", "try", *files, "--messages", saved(tmp_path, *leaking)])
    said = capsys.readouterr().out.splitlines()
    main(["streams", "try", *files, "--json", "--messages", saved(tmp_path, *leaking)])
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert exit_code == 0
    assert said[3:] == [
        "3 messages: 3 rows of orders.",
        "Column note of orders holds in clear what looks like personal data in 2 rows: e-mail address, phone number.",
    ]
    assert [each.get("suspect_pii") for each in objects] == [
        {"note": ["phone number"]},
        {"note": ["e-mail address"]},
        None,
    ]


def test_messages_that_all_become_rows_end_with_success(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(["streams", "try", *files, "--messages", saved(tmp_path, ORDER)])

    assert exit_code == 0
    assert capsys.readouterr().out.endswith("1 message: 1 row of orders.\n")


def test_a_folder_stands_for_the_definitions_in_it(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(["streams", "try", str(Path(files[0]).parent), "--messages", saved(tmp_path, REFUND, ORDER)])

    assert exit_code == 0
    assert capsys.readouterr().out.endswith("2 messages: 1 row of refunds, 1 row of orders.\n")


def test_json_is_one_object_a_message(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["streams", "try", *files, "--json", "--messages", saved(tmp_path, ORDER, OTHER)])

    assert exit_code == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"message": 1, "stream": "orders", "row": {"order_id": 7, "masked_email": "(masked)", "note": None}},
        {"message": 2, "stream": "refunds", "rejected": "missing_field", "detail": "field order_id missing"},
    ]


def test_what_a_terminal_would_obey_is_not_printed(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["streams", "try", *files, "--messages", saved(tmp_path, ESCAPING_ORDER)])
    main(["streams", "try", *files, "--json", "--messages", saved(tmp_path, ESCAPING_ORDER)])

    printed = capsys.readouterr().out
    assert "note = \ufffd[2J\ufffdred" in printed
    assert "\x1b" not in printed


def test_a_queue_has_its_messages_back_at_once_and_none_is_deleted(
    files: list[str], queue: SqsQueue, queue_address: QueueAddress, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.send([ORDER, REFUND])

    exit_code = main(
        ["streams", "try", *files, f"--queue={queue_address.queue}", f"--queue_endpoint={queue_address.endpoint}"]
    )

    assert exit_code == 0
    assert "2 messages: " in capsys.readouterr().out
    depth = queue.depth()
    assert (depth.visible, depth.in_flight) == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "messages: missing; give --messages FILE, or --queue, the queue to look into"),
        (["--messages=/does/not/exist"], "messages /does/not/exist: cannot be read: "),
        (["--queue=q", "--limit=0"], "limit is 0; it must be 1 or more"),
    ],
)
def test_what_cannot_be_tried_is_one_line(
    files: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    exit_code = main(["streams", "try", *files, *arguments])

    assert exit_code == 2
    assert complaint in capsys.readouterr().err


def test_the_tests_in_a_definition_that_fail_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orders.toml"
    file.write_text(
        ORDERS
        + f"""
[[test]]
body = '{ORDER}'
row = {{ order_id = 7, masked_email = "ann@example.com" }}
null = ["note"]
[[test]]
body = '{ORDER}'
row = {{ order_id = 8, masked_email = "bob@example.com" }}
[[test]]
body = '{REFUND}'
rejected = "no_stream"
"""
    )

    exit_code = main(["streams", "test", str(file)])

    assert exit_code == 1
    assert capsys.readouterr().out.splitlines() == [
        "orders: [[test]] 2 column order_id is 7; column masked_email is '(masked)'",
        "2 of 3 tests hold.",
    ]


def test_a_definition_without_tests_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["streams", "test", "user_logins"])

    assert exit_code == 0
    assert capsys.readouterr().out == "There is no [[test]] in user_logins.\n"


def test_an_action_that_is_misspelled_suggests_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["streams", "tyr"])

    assert exit_code == 2
    assert "maskline: action 'tyr' is not known; did you mean try? see: maskline streams --help" in (
        capsys.readouterr().err
    )
