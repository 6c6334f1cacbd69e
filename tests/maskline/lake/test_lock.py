"""Publishers take turns, behind a pooler, too; nobody waits without a deadline, and a signal ends every wait."""

from __future__ import annotations

import functools
import signal
import tempfile
import threading
from datetime import datetime
from pathlib import Path

import pytest

from maskline.errors import DatabaseUnavailableError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.source import RowSource
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection, connect
from maskline.streams.definition import load_stream
from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.e2e.job_process import JobProcess
from tests.faults.postgres_servers import PgBouncer
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, value_of

ADVISORY_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
MINE = " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
HOLDERS = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"


def source(dsn: str) -> RowSource:
    """Return the table of logins."""
    return RowSource(functools.partial(connect, dsn), load_stream("user_logins"))


def test_one_waits_for_the_other_and_says_for_whom_when_the_time_is_over(dsn: str) -> None:
    with source(dsn).exclusive_lock("opaque") as is_held:
        assert is_held
        with source(dsn).exclusive_lock("clear", seconds=0) as other_is_held:
            assert other_is_held
        refusal = r"another command is at work on the opaque copy of user_logins \(session \d+ of postgres, since"
        with pytest.raises(DatabaseUnavailableError, match=refusal), source(dsn).exclusive_lock("opaque", seconds=0):
            pytest.fail("both have it")

    with source(dsn).exclusive_lock("opaque", seconds=0) as is_held:
        assert is_held


def test_whatever_changes_a_copy_waits_for_its_turn(
    dsn: str,
    keyset: Keyset,
    keyset_uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, lake_table(tmp_path))
    monkeypatch.setattr(RowSource.exclusive_lock, "__defaults__", (None, 0.0))
    places = [f"--postgres={dsn}", f"--lake_opaque={tmp_path}"]
    keys = [f"--keyset={keyset_uri}"]
    commands = {
        "lake compact": ["lake", "compact", *places],
        "lake vacuum": ["lake", "vacuum", *places],
        "lake remask": ["lake", "remask", *places, *keys],
        "erase": ["erase", *places, *keys, "--user_id=nobody", "--reason=request 12"],
    }

    ended = {}
    with source(dsn).exclusive_lock("opaque"):
        for name, arguments in commands.items():
            code = main(arguments)
            ended[name] = (code, "another command is at work on the opaque copy" in capsys.readouterr().err)
    with source(dsn).exclusive_lock("opaque restore"):
        code = main(["lake", "restore", *places, *keys])
        ended["lake restore"] = (code, "at work on the opaque restore copy" in capsys.readouterr().err)

    assert ended == dict.fromkeys([*commands, "lake restore"], (75, True))


def test_a_lock_is_gone_with_its_connection(dsn: str, database: Connection) -> None:
    with source(dsn).exclusive_lock("opaque"):
        assert value_of(database, HOLDERS + MINE) == 1
        await_until(lambda: value_of(database, ADVISORY_LOCKS + MINE) == 0, "the session has ended")
        with source(dsn).exclusive_lock("opaque", seconds=0) as is_held:
            assert is_held


def test_a_lock_holds_no_horizon_back_and_outlives_the_time_outs_of_idle_transactions(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    impatient = f"{dsn}&options=-c%20idle_in_transaction_session_timeout%3D1"

    with source(impatient).exclusive_lock("opaque"):
        written = write_masked(dsn, keyset, [login(1)])
        assert publish(dsn, lake_table(tmp_path, Copy.CLEARTEXT), keyset) == 1
        assert value_of(database, ADVISORY_LOCKS + MINE) == 1

    assert rows_in(tmp_path, "message_id") == written


def test_a_stop_ends_the_wait(dsn: str) -> None:
    stopping = threading.Event()
    stopping.set()

    with source(dsn).exclusive_lock("opaque"), source(dsn).exclusive_lock("opaque", stopping) as is_held:
        assert not is_held


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_publication_that_waits_for_another_ends_at_a_signal(
    dsn: str, database: Connection, tmp_path: Path, number: signal.Signals
) -> None:
    seen: set[datetime] = set()
    with source(dsn).exclusive_lock("opaque"):
        process = JobProcess(["lake", "publish", f"--postgres={dsn}", f"--lake_opaque={tmp_path}"])
        try:
            await_until(lambda: len(questions_given_up(database, seen)) > 3, "it asks again and again")
            process.send_signal(number)
            assert process.wait() == 130, process.errors
        finally:
            process.kill()


def questions_given_up(database: Connection, seen: set[datetime]) -> set[datetime]:
    """Add to the times at which somebody gave up a question, and so waited, and return them."""
    query = (
        "SELECT query_start FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query = 'ROLLBACK'"
    )
    seen.update(began for (began,) in rows_of(database, query))
    return seen


def test_behind_pgbouncer_in_transaction_mode_no_lock_stays_behind(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    if PgBouncer.program() is None:
        pytest.skip("PgBouncer is not there; ./run_tests.sh fetches it where apt-get is")
    owner = Path(value_of(database, "SHOW data_directory")).stat().st_uid
    with tempfile.TemporaryDirectory() as directory, PgBouncer(Path(directory), dsn, owner) as pooler:
        for number in range(3):
            write_masked(dsn, keyset, [login(number)])
            assert publish(pooler.dsn, lake_table(tmp_path)) == 1
        assert value_of(database, ADVISORY_LOCKS + MINE) == 0
        with (
            source(pooler.dsn).exclusive_lock("opaque"),
            pytest.raises(DatabaseUnavailableError),
            source(pooler.dsn).exclusive_lock("opaque", seconds=0),
        ):
            pytest.fail("both have it")

    assert len(rows_in(tmp_path)) == 3
