"""``check`` lists what it found for people, and with ``--json`` for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from maskline.sqs import QueueAddress


def test_as_json_each_finding_is_an_object_with_its_state(
    dsn: str, queue_address: QueueAddress, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(
        [
            *("check", "--json", f"--postgres={dsn}", f"--queue={queue_address.queue}"),
            *(f"--queue_endpoint={queue_address.endpoint}", f"--keyset=file:{tmp_path}/none.json"),
        ]
    )

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert exit_code == 2
    assert [(finding["part"], finding["state"], finding["temporary"]) for finding in found] == [
        ("keyset", "problem", False),
        ("queue", "ok", False),
        ("postgres", "ok", False),
        ("postgres", "ok", False),
    ]
    assert found[0]["text"] == (
        f"file:{tmp_path}/none.json: No such file or directory; run: maskline keys create --keyset URI"
    )
