"""``erase`` killed at any step leaves nothing half done, and the next one of the same person ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.incomplete_uploads import incomplete_uploads
from maskline.lake.storage import Storage
from maskline.masks.deterministic import Masker
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.e2e.conftest import login
from tests.maskline.lake.copies import files_that_know, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, run, value_of
from tests.pipeline.commands.killed_command import kill_at

PERSON = "a6a1d27f-forget-me"
MARKS = (PERSON, "192.0.2.77", "their-device")
THEIRS = [login(1, user_id=PERSON, ip="192.0.2.77", device_id="their-device")] * 3
THEIR_REJECTIONS = [f'{{"user_id": "{PERSON}"}}', f"not JSON: user_id={PERSON} "]
OTHERS = [login(number) for number in range(2, 8)]
OTHERS_REJECTIONS = ['{"user_id": "another"}', "not JSON"]
COPY_STEPS = ("opened", "recorded", "wrote", "closed", "committed")
STEPS = (
    "erase: begun",
    "erase: deleted rows",
    "erase: deleted rejections",
    "erase: locked",
    "erase: suppressed",
    "erase: left postgres",
    *(f"erase: {step} {copy.value}" for copy in Copy for step in COPY_STEPS),
    "erase: ended",
)


@pytest.fixture
def options(dsn: str, keyset_uri: str, tmp_path: Path) -> list[str]:
    """The options that name database, keyset and both copies."""
    lake = [f"--lake_opaque={tmp_path / 'opaque'}", f"--lake_clear={tmp_path / 'clear'}"]
    return [f"--postgres={dsn}", f"--keyset={keyset_uri}", *lake]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_repeated_it_removes_the_person_and_nobody_else(
    dsn: str, keyset: Keyset, database: Connection, options: list[str], tmp_path: Path, step: str
) -> None:
    places = [tmp_path / copy.value for copy in Copy]
    written = write_masked(dsn, keyset, [*THEIRS, *OTHERS])
    theirs, others = set(written[: len(THEIRS)]), set(written[len(THEIRS) :])
    write_masked(dsn, keyset, [*THEIR_REJECTIONS, *OTHERS_REJECTIONS])
    run(database, "UPDATE user_logins SET create_date = create_date - 1 WHERE message_id = ANY(%s)", [written[2:5]])
    assert main(["lake", "publish", *options]) == 0
    erase = ["erase", *options, f"--user_id={PERSON}", "--reason=request 12"]

    kill_at(step, erase)
    seen = [set(rows_in(place, "message_id")) for place in places]
    again = main(erase)

    assert all(found in (theirs | others, others) for found in seen), "a reader saw half of it"
    assert again == 0
    assert {message_id for (message_id,) in rows_of(database, "SELECT message_id::text FROM user_logins")} == others
    assert _rejected_bodies(database, keyset) == sorted(OTHERS_REJECTIONS)
    assert [set(rows_in(place, "message_id")) for place in places] == [others, others]
    assert main(["lake", "verify", *options]) == 0
    assert main(["lake", "vacuum", *options[2:], "--retention_hours=0", "--allow_short_retention"]) == 0
    assert [files_that_know(place, *MARKS) for place in places] == [[], []]
    assert [incomplete_uploads(Storage(str(place))) for place in places] == [[], []]
    assert value_of(database, "SELECT count(*) FROM maskline_suppressions") in (1, 2)
    _check_log(database, keyset)


def _rejected_bodies(database: Connection, keyset: Keyset) -> list[str]:
    bodies = rows_of(database, "SELECT body, stream, message_id::text FROM rejected_messages")
    return sorted(Masker(keyset).unseal_body(bytes(body), *place) for body, *place in bodies)


def _check_log(database: Connection, keyset: Keyset) -> None:
    """Fail unless both erasures were begun, one at least ended, and no row left without an entry that counts it."""
    query = "SELECT action, sum(row_count), count(*) FROM pii_access_log WHERE reason = %s GROUP BY action"
    reason = f"request 12 (person {Masker(keyset).fingerprint(PERSON)})"
    log = {action: (int(rows), entries) for action, rows, entries in rows_of(database, query, [reason])}
    assert log["erase begun"] == (0, 2)
    assert log["erased"][1] in (1, 2)
    assert log["erase from postgres"] == (len(THEIRS), 1)
    assert log["erase from rejections"] == (len(THEIR_REJECTIONS), 1)
    # A copy and the log are not one transaction: what is going to leave is entered first, and again where it did not.
    assert all(log[f"erase from {copy.value} copy"] in ((3, 1), (6, 2)) for copy in Copy)
