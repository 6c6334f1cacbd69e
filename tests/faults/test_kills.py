"""The process is killed at each point of its cycle."""

from __future__ import annotations

import re
import signal

import pytest

from maskline.postgres.connection import Connection
from tests.awaiting import await_until
from tests.faults.case import FaultCase
from tests.faults.conftest import quick_and_slow
from tests.faults.cycle import HOLD_AT
from tests.maskline.postgres.records import connected, run, value_of


@pytest.mark.parametrize("point", quick_and_slow(("before COMMIT", "after COMMIT"), HOLD_AT))
def test_killed_at_a_point_and_started_again_it_writes_every_message_once(
    case: FaultCase, point: str, runner_options: list[str]
) -> None:
    case.send(150, "not JSON")
    hold = HOLD_AT[point](case)
    killed = case.start(*runner_options)
    hold.await_reached()

    killed.send_signal(signal.SIGKILL)
    killed.wait()
    case.fault_ends()
    hold.drop()
    case.sqs.heal()

    case.ended_well(case.start("--until_empty", *runner_options))
    case.check()


@pytest.mark.slow
def test_killed_while_the_server_commits_its_rows_are_not_written_again(case: FaultCase) -> None:
    # The job has deferred triggers fire with the insert; one that is deferred by then fires in COMMIT itself.
    case.sql(
        "CREATE TABLE commits (at timestamptz)",
        "CREATE FUNCTION hold_commit() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON commits DEFERRABLE"
        " FOR EACH ROW EXECUTE FUNCTION hold_commit()",
        "CREATE FUNCTION enter_commit() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN SET CONSTRAINTS hold_commit DEFERRED; INSERT INTO commits VALUES (now()); RETURN NULL; END $$",
        "CREATE TRIGGER enter_commit AFTER INSERT ON user_logins EXECUTE FUNCTION enter_commit()",
    )
    case.send(80)
    with connected(case.dsn) as holder:
        run(holder, "SELECT pg_advisory_lock(4711)")
        killed = case.start("--visibility_timeout_seconds=1")  # the server waits for ten seconds
        await_until(lambda: _waiting_for_locks(holder) == 1, "the server commits")
        killed.send_signal(signal.SIGKILL)
        killed.wait()

        next_one = case.start("--until_empty")
        await_until(
            lambda: _waiting_for_locks(holder) == 2, "the next job meets the rows that are being committed", seconds=90
        )

    case.fault_ends()
    case.ended_well(next_one)
    assert re.search(r"duplicates\W+[1-9]", next_one.output)
    case.check()


def _waiting_for_locks(database: Connection) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return int(value_of(database, query))
