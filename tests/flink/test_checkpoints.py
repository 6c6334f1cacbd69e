"""Checkpoints and savepoints of Flink: they complete, hold no message and no key, and a job goes on from one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from maskline.keys import keyset_provider
from tests.awaiting import await_until
from tests.faults.case import is_marked
from tests.faults.cycle import HOLD_AT
from tests.flink.case import FlinkCase
from tests.flink.submitted_job import takes_flink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), takes_flink]

SECONDS = 240
"""For what takes Flink a few seconds, on a machine that has much else to do."""

OFTEN = ("--long_poll_seconds=1", "--checkpointing_interval=1000")
KEY_GROUPS = "--max_parallelism=8"
"""A savepoint fits a job that has as many."""

KEY_BYTES = 64
"""Of AES-SIV, at the end of what Tink keeps of a key."""


def test_stopped_with_a_savepoint_amid_messages_and_gone_on_from_it_with_more_slots(
    case: FlinkCase, tmp_path: Path
) -> None:
    case.send(60, "not JSON, but from 198.51.100.7")
    first = case.submit(*OFTEN, "--pollers=2", "--parallelism=1", KEY_GROUPS)
    (job_id,) = case.running()
    case.await_outcomes(61, SECONDS)
    await_until(lambda: checkpoints(case, job_id)["counts"]["completed"] >= 2, "checkpoints complete", SECONDS)
    settings = case.parts.cluster.rest(f"/jobs/{job_id}/checkpoints/config")
    assert settings["tolerable_failed_checkpoints"] > 1_000_000, "a checkpoint that fails does not fail the job"

    hold = HOLD_AT["before COMMIT"](case)
    case.send(40)
    hold.await_reached(SECONDS)
    with ThreadPoolExecutor(1) as stopping:
        stopped = stopping.submit(case.parts.run_flink, "stop", f"--savepointPath={tmp_path}", job_id)
        await_until(lambda: is_savepoint_under_way(case, job_id) or stopped.done(), "a savepoint begins", SECONDS)
        hold.release()
        stopped.result(SECONDS)
    case.ended_well(first, SECONDS)

    (savepoint,) = tmp_path.glob("savepoint-*")
    contents = list(files_of(savepoint))
    assert any(b"maskline.transforms.polling" in content for content in contents), "it holds where the pollers stand"
    for content in contents:
        assert not is_marked(content.decode("latin-1"))
        assert not any(secret in content for secret in secrets_of(case))

    case.send(40, "not JSON either")
    case.submit(*OFTEN, f"--savepoint_path={savepoint}", "--parallelism=4", "--pollers=2", KEY_GROUPS)
    (job_id,) = case.running()
    restored = checkpoints(case, job_id)["latest"]["restored"]
    assert (restored["is_savepoint"], restored["external_path"]) == (True, savepoint.as_uri().replace("///", "/"))
    case.await_accounted(SECONDS)
    account = case.check()
    assert (account.written, account.rejected) == (140, 2)


def secrets_of(case: FlinkCase) -> list[bytes]:
    """Return the key of the case's keyset, as bytes and as the keyset's own text of it."""
    (key,) = json.loads(keyset_provider(case.keyset).fetch().content)["key"]
    text = str(key["keyData"]["value"])
    return [base64.b64decode(text)[-KEY_BYTES:], text.encode()]


def checkpoints(case: FlinkCase, job_id: str) -> Any:
    """Return what Flink tells of the checkpoints of a job."""
    return case.parts.cluster.rest(f"/jobs/{job_id}/checkpoints")


def is_savepoint_under_way(case: FlinkCase, job_id: str) -> bool:
    """Say whether a job takes a savepoint now."""
    return any(
        each["is_savepoint"] and each["status"] == "IN_PROGRESS" for each in checkpoints(case, job_id)["history"]
    )


def files_of(directory: Path) -> Iterator[bytes]:
    """Return what is in the files under a directory."""
    return (path.read_bytes() for path in directory.rglob("*") if path.is_file())
