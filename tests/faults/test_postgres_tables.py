"""Tables that refuse: a row among good ones, a conflict of transactions, a table or column that is gone."""

from __future__ import annotations

import pytest

from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.faults.case import FaultCase
from tests.maskline.postgres.records import connected, run, waiting_for_a_lock
from tests.transforms.database_faults import fail_commits


@pytest.mark.slow
def test_a_row_too_long_and_one_that_breaks_a_check_are_rejected_among_998_good_ones(case: FaultCase) -> None:
    job = case.start("--micro_batch_size=1000")
    case.send(1)
    case.await_accounted()

    case.sql(
        "ALTER TABLE user_logins ALTER COLUMN locale TYPE varchar(8)",
        "ALTER TABLE user_logins ADD CHECK (device_type <> 'toaster')",
    )
    case.send(997, login(998, locale="x" * 9), login(999, device_type="toaster"))

    case.await_accounted()
    case.stop(job)
    assert case.check().rejected == 2


@pytest.mark.slow
@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "53100", "57014"])
def test_a_commit_that_fails_for_a_passing_reason_is_tried_again(case: FaultCase, sqlstate: str) -> None:
    with connected(case.dsn) as database:
        fail_commits(database, "user_logins", times=3, sqlstate=sqlstate)
    case.send(150, "not JSON")

    job = case.start("--until_empty")

    case.ended_well(job)
    assert "database retries" in job.output
    case.check()


@pytest.mark.slow
def test_a_real_deadlock_costs_one_retry(case: FaultCase) -> None:
    job = case.start("--until_empty")
    with connected(case.dsn, autocommit=False) as other, connected(case.dsn) as database:
        # The other one is not the victim: it never looks whether there is a deadlock.
        run(other, "SET deadlock_timeout = '1h'")
        run(other, "LOCK TABLE user_logins IN SHARE MODE")
        case.send(50)
        await_until(lambda: waiting_for_a_lock(database), "the job waits for the table")

        run(other, "LOCK TABLE maskline_outcomes IN SHARE MODE")
        other.commit()

    case.ended_well(job)
    assert "40P01" in job.errors
    case.check()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("breaks", "fixes", "says"),
    [
        ("ALTER TABLE user_logins RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO user_logins", "user_logins"),
        ("ALTER TABLE user_logins RENAME locale TO place", "ALTER TABLE user_logins RENAME place TO locale", "locale"),
        (
            "REVOKE INSERT ON user_logins FROM maskline_writer",
            "GRANT INSERT ON user_logins TO maskline_writer",
            "permission",
        ),
    ],
    ids=["table gone", "column renamed", "permission revoked"],
)
def test_a_table_broken_under_the_running_job_stops_it_with_one_line_and_all_comes_back(
    case: FaultCase, as_writer: str, breaks: str, fixes: str, says: str
) -> None:
    job = case.start(as_writer)
    case.send(50)
    case.await_accounted()
    case.sql(breaks)
    case.send(150)

    assert job.wait() == 2
    assert says in job.errors.splitlines()[-1]
    assert "Traceback" not in job.errors
    case.sql(fixes)
    case.fault_ends()

    case.ended_well(case.start("--until_empty"))
    assert case.check().rejected == 0
