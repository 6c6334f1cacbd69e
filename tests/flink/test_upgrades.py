"""Another version of the job, another primary key, more slots: in the place of the job that ran, or beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.keys import StoredKeyset, keyset_provider, open_keyset
from maskline.keys.keyset import keyset_handle, serialize_keyset
from maskline.keys.keyset_editor import KeysetEditor
from tests.awaiting import await_until
from tests.e2e.conftest import WRONG_TYPE, login
from tests.flink.case import FlinkCase, workers_of, workers_of_another_version
from tests.flink.submitted_job import takes_flink
from tests.maskline.postgres.records import connected, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), takes_flink]

SLOWLY = ("--micro_batch_seconds=1", "--micro_batch_size=40")
KEY_TWICE = '{"ip": "198.51.100.7", "ip": "198.51.100.7", ' + login(77)[1:]
LENIENT = ("maskline/streams/json_text.py", "if len(document) != len(pairs):", "if False:")
"""What the new version changes: it takes `KEY_TWICE` for a login, which the old one rejects."""


def test_canceled_before_its_deletes_and_submitted_again_in_another_version_under_another_key_with_four_slots(
    case: FlinkCase, tmp_path: Path
) -> None:
    case.send(40, KEY_TWICE)
    deletes = case.sqs.hold_before("DeleteMessageBatch")
    old = case.submit("--micro_batch_seconds=1", "--parallelism=1")
    case.await_outcomes(41)

    case.cancel(old)
    await_until(lambda: not workers_of(case.parts.workers), "its workers have ended, and delete nothing any more")
    deletes.drop()
    case.sqs.heal()
    assert case.queue.depth().total == 41
    new_key = _promote_a_new_key(case)
    case.send(100, KEY_TWICE)
    with workers_of_another_version(tmp_path / "new", *LENIENT) as workers:
        new = case.submit(*SLOWLY, "--parallelism=4", "--pollers=8", workers=workers)
        case.await_accounted()
        case.cancel(new)  # without its workers it would restart for ever, and take more ports each time

    account = case.check()
    assert (account.written, account.rejected) == (141, 1)
    assert _rows_by_key(case)[new_key] == 101


def test_an_old_and_a_new_job_at_once_on_one_queue(case: FlinkCase, tmp_path: Path) -> None:
    case.send(100)
    old = case.submit(*SLOWLY)
    case.await_outcomes(1)
    old_key = open_keyset(_stored(case)).primary_key_id
    new_key = _promote_a_new_key(case)

    with workers_of_another_version(tmp_path / "new", *LENIENT) as workers:
        new = case.submit(*SLOWLY, workers=workers)
        case.send(150, WRONG_TYPE)
        case.await_accounted()
        case.cancel(old)
        case.send(20, KEY_TWICE)
        case.await_accounted()
        case.cancel(new)

    assert case.check().rejected == 1
    assert _rows_by_key(case).keys() == {old_key, new_key}


def _stored(case: FlinkCase) -> StoredKeyset:
    return keyset_provider(case.keyset).fetch()


def _promote_a_new_key(case: FlinkCase) -> int:
    stored = _stored(case)
    editor = KeysetEditor(keyset_handle(stored))
    new_key = editor.add()
    editor.promote(new_key)
    keyset_provider(case.keyset).replace(stored.content, serialize_keyset(editor.handle()))
    return new_key


def _rows_by_key(case: FlinkCase) -> dict[int, int]:
    with connected(case.dsn) as database:
        return dict(rows_of(database, "SELECT key_id, count(*) FROM user_logins GROUP BY key_id"))
