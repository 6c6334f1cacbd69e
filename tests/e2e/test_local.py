"""``local``: the first thing a new user sees."""

from __future__ import annotations

import ipaddress
import signal
from pathlib import Path

import pytest

from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.postgres.connection import connect, transaction
from tests.awaiting import await_until
from tests.e2e.job_process import JobProcess


@pytest.mark.slow
def test_a_second_run_sends_what_comes_next_and_nothing_twice(server_directory: Path) -> None:
    directory = server_directory / "my dätä"
    options = ["local", "--messages=100", "--lake", f"--data_directory={directory}"]

    first = JobProcess(options)
    assert first.wait() == 0, first.errors
    second = JobProcess(options)
    assert second.wait() == 0, second.errors

    assert "10 of 99 rows" in first.output
    assert "10 of 198 rows" in second.output
    assert "clear copy: 99 rows published to file://" in first.output
    assert "opaque copy: 99 rows published to file://" in second.output
    rows = second.output.partition("The two copies in the lake")[2].splitlines()
    assert f"--lake_clear '{directory / 'lake' / 'clear'}'" in second.output
    assert f"--keyset 'file:{directory / 'keyset.json'}'" in second.output
    shown = [[cell.strip() for cell in line.split("│")] for line in rows if line.startswith("│")]
    clear_ips = [str(ipaddress.ip_address(cells[3])) for cells in shown]
    assert len(clear_ips) == 5
    assert {cells[2] for cells in shown}.isdisjoint(clear_ips)
    assert _count(directory, "SELECT count(DISTINCT message_id) FROM user_logins") == 198
    # Two of each hundred are sent twice by their producer, as real ones are.
    assert _count(directory, "SELECT count(DISTINCT user_id) FROM user_logins") == 194


@pytest.mark.slow
def test_a_second_start_beside_a_running_one_is_told_so(server_directory: Path) -> None:
    options = ["local", "--follow", f"--data_directory={server_directory / 'data'}"]
    running = JobProcess(options)
    lock = server_directory / "data" / "lock"
    await_until(lambda: lock.exists() and bool(lock.read_text()), "the first run has the directory")

    second = JobProcess(options)
    exit_code = second.wait()
    running.send_signal(signal.SIGINT)
    running.wait()

    assert exit_code == 2
    assert "in use by process" in second.errors


def test_what_cannot_be_a_data_directory_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    job = JobProcess(["local", f"--data_directory={file}"])

    assert job.wait() == 2
    assert job.failure().startswith(f"data_directory: {file} cannot be used (File exists)")


@pytest.mark.slow
def test_killed_and_started_again_it_goes_on_with_what_was_sent(server_directory: Path) -> None:
    options = ["local", f"--data_directory={server_directory / 'data'}"]
    killed = JobProcess([*options, "--follow"])
    samples = server_directory / "data" / "samples.json"
    await_until(lambda: samples.exists() and samples.read_text() != '{"next": 100}', "a second portion is sent")
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    again = JobProcess([*options, "--messages=0", "--log_level=info"])

    assert again.wait() == 0, again.errors
    sent = int(samples.read_text().strip('{"next: }'))
    outcomes = "SELECT (SELECT count(*) FROM user_logins) + (SELECT count(*) FROM rejected_messages)"
    # Of the last portion, claimed before it is sent, the killed process may have sent a part only.
    assert sent - 100 <= _count(server_directory / "data", outcomes) <= sent


def _count(directory: Path, query: str) -> int:
    with EmbeddedPostgres(directory / "postgres") as postgres:
        connection = connect(postgres.dsn("maskline"))
        with transaction(connection) as cursor:
            cursor.execute(query)
            ((count,),) = cursor.fetchall()
        connection.close()
    return int(count)
