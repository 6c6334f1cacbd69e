"""Another version of the job, another primary key, more slots: in the place of the job that ran, or beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.keys import StoredKeyset, keyset_provider, open_keyset
from maskline.keys.editing import KeysetEditor
from maskline.keys.keyset import keyset_handle, serialize_keyset
from tests.e2e.conftest import WRONG_TYPE
from tests.flink.case import FlinkCase, workers_of_another_version
from tests.flink.submitted_job import takes_flink
from tests.maskline.postgres.records import connected, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), takes_flink]

SLOWLY = ("--micro_batch_seconds=1", "--micro_batch_size=40")
CHANGE = ("maskline/decoding.py", 'missing")', 'missing, says the new version")')


def test_canceled_and_submitted_again_in_another_version_under_another_key_with_four_slots(
    case: FlinkCase, tmp_path: Path
) -> None:
    case.send(150, WRONG_TYPE)
    old = case.submit(*SLOWLY, "--parallelism=1")
    case.await_in_hand()

    case.cancel(old)
    new_key = _promote_a_new_key(case)
    case.send(150, WRONG_TYPE)
    with workers_of_another_version(tmp_path / "new", *CHANGE) as workers:
        case.submit(*SLOWLY, "--parallelism=4", "--pollers=8", workers=workers)
        case.await_accounted()

    case.check()
    assert new_key in _key_ids(case)
    assert any("says the new version" in detail for detail in _details(case))


def test_an_old_and_a_new_job_at_once_on_one_queue(case: FlinkCase, tmp_path: Path) -> None:
    case.send(100)
    old = case.submit(*SLOWLY)
    case.await_outcomes(1)
    old_key = open_keyset(_stored(case)).primary_key_id
    new_key = _promote_a_new_key(case)

    with workers_of_another_version(tmp_path / "new", *CHANGE) as workers:
        case.submit(*SLOWLY, workers=workers)
        case.send(200, WRONG_TYPE)
        case.await_accounted()
        case.cancel(old)
        case.send(20, WRONG_TYPE)
        case.await_accounted()

    case.check()
    assert _key_ids(case) == {old_key, new_key}
    assert any("says the new version" in detail for detail in _details(case))


def _stored(case: FlinkCase) -> StoredKeyset:
    return keyset_provider(case.keyset).fetch()


def _promote_a_new_key(case: FlinkCase) -> int:
    stored = _stored(case)
    editor = KeysetEditor(keyset_handle(stored))
    new_key = editor.add()
    editor.promote(new_key)
    keyset_provider(case.keyset).replace(stored.content, serialize_keyset(editor.handle()))
    return new_key


def _key_ids(case: FlinkCase) -> set[int]:
    with connected(case.dsn) as database:
        return {key_id for (key_id,) in rows_of(database, "SELECT DISTINCT key_id FROM user_logins")}


def _details(case: FlinkCase) -> list[str]:
    with connected(case.dsn) as database:
        return [detail for (detail,) in rows_of(database, "SELECT detail FROM rejected_messages")]
