"""Checkpoints and savepoints of Flink: they complete, hold no message and no key, and a job goes on from one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maskline.keys import keyset_provider
from tests.awaiting import await_until
from tests.faults.case import is_marked
from tests.flink.case import FlinkCase
from tests.flink.submitted_job import takes_flink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), takes_flink]

KEY_BYTES = 64
"""Of AES-SIV, at the end of what Tink keeps of a key."""

KEY_GROUPS = "--max_parallelism=8"
"""A savepoint fits a job that has as many."""


def test_stopped_with_a_savepoint_and_gone_on_from_it_with_more_slots_costs_no_message(
    case: FlinkCase, tmp_path: Path
) -> None:
    case.send(60, "not JSON")
    first = case.submit("--micro_batch_seconds=1", "--checkpointing_interval=500", "--pollers=2", KEY_GROUPS)
    job_id = case.running()[0]
    case.await_outcomes(61)
    await_until(lambda: completed_checkpoints(case, job_id) >= 3, "checkpoints complete")

    case.parts.run_flink("stop", "--type=canonical", f"--savepointPath={tmp_path}", job_id)
    first.wait()
    (savepoint,) = tmp_path.glob("savepoint-*")
    case.send(40, "not JSON either")
    case.submit(f"--savepoint_path={savepoint}", "--parallelism=4", "--pollers=2", KEY_GROUPS)
    case.await_accounted()

    account = case.check()
    assert (account.written, account.rejected) == (100, 2)


def test_no_checkpoint_holds_a_message_or_the_key(case: FlinkCase) -> None:
    case.submit("--micro_batch_seconds=1", "--checkpointing_interval=200", KEY_GROUPS)
    (job_id,) = case.running()
    contents: set[bytes] = set()

    def has_checkpoints_and_all_messages() -> bool:
        contents.update(files_of(case.parts.checkpoints / job_id))
        return case.outcomes() >= 121 and completed_checkpoints(case, job_id) >= 5

    case.send(60)
    case.await_outcomes(1)
    case.send(60, "not JSON")
    await_until(has_checkpoints_and_all_messages, "checkpoints complete while messages come")

    assert contents
    secrets = secrets_of(case)
    for content in contents:
        assert not is_marked(content.decode("latin-1"))
        assert not any(secret in content for secret in secrets)
    case.await_accounted()
    assert case.check().rejected == 1


def secrets_of(case: FlinkCase) -> list[bytes]:
    """Return the key of the case's keyset, as bytes and as the keyset's own text of it."""
    (key,) = json.loads(keyset_provider(case.keyset).fetch().content)["key"]
    text = str(key["keyData"]["value"])
    return [base64.b64decode(text)[-KEY_BYTES:], text.encode()]


def completed_checkpoints(case: FlinkCase, job_id: str) -> int:
    """Return how many checkpoints of a job have completed."""
    counts: dict[str, Any] = case.parts.cluster.rest(f"/jobs/{job_id}/checkpoints")["counts"]
    return int(counts["completed"])


def files_of(directory: Path) -> Iterator[bytes]:
    """Return what is in the files under a directory, of those that Flink does not delete meanwhile."""
    for path in directory.rglob("*"):
        try:
            if path.is_file():
                yield path.read_bytes()
        except FileNotFoundError:
            continue
