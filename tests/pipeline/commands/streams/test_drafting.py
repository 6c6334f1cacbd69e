"""``streams draft``: a definition on standard output, all else on standard error, and the queue as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from maskline.sqs import QueueAddress, SqsQueue
from maskline.streams.definition import load_stream

BODIES = ['{"kind":"a","email":"ann@example.com"}', '{"kind":"a","email":"bob@example.com"}', '{"kind":"b","n":1}']


def test_a_draft_of_a_file_is_printed_and_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new-orders.jsonl").write_text("\n".join(BODIES))

    exit_code = main(["streams", "draft", f"--messages={tmp_path}/new-orders.jsonl", "--match", "kind=a"])

    assert exit_code == 0
    printed = capsys.readouterr()
    (tmp_path / "orders.toml").write_text(printed.out)
    stream = load_stream(str(tmp_path / "orders.toml"))
    assert (stream.name, stream.table, [column.name for column in stream.columns]) == (
        "new_orders",
        "new_orders",
        ["kind", "masked_email"],
    )
    assert "example.com" not in printed.out
    assert printed.err == (
        "maskline: drafted 2 columns, 1 of them masked, from 2 messages, and without 1, of which it says why; tried, 2 "
        "of 3 become rows\n"
    )


def test_a_queue_has_its_messages_back(
    queue: SqsQueue, queue_address: QueueAddress, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.send(BODIES)

    exit_code = main(
        [
            *("streams", "draft", f"--queue={queue_address.queue}", f"--queue_endpoint={queue_address.endpoint}"),
            "--name=orders",
        ]
    )

    assert exit_code == 0
    assert 'name = "orders"\n' in capsys.readouterr().out
    depth = queue.depth()
    assert (depth.visible, depth.in_flight) == (3, 0)


def test_a_name_that_no_table_can_have_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.jsonl").write_text(BODIES[0])

    exit_code = main(["streams", "draft", f"--messages={tmp_path}/m.jsonl", "--name=My Orders"])

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: name 'My Orders': is not an identifier of lower-case letters, digits and _ (63 at most)\n"
    )
