"""A whole rotation beside a running job: none lost, none doubled, every value recoverable, equal values equal again."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
from pathlib import Path

import pytest

from maskline.keys import StoredKeyset
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.e2e.conftest import Ledger, StartJob, login
from tests.maskline.postgres.records import rows_of, value_of
from tests.maskline.stored_tokens import stored_values
from tests.pipeline.commands.keys.conftest import an_hour_passes
from tests.runbook import heading_for

PORTION = 60
SAME_ADDRESS = "203.0.113.7"


class Traffic:
    """Messages that go on arriving, each portion with a rejection and with one address that all portions share."""

    def __init__(self, queue: SqsQueue, ledger: Ledger) -> None:
        self._queue = queue
        self._ledger = ledger
        self.bodies: list[str] = []
        self.sent: list[str] = []

    def arrive(self) -> None:
        """Send a portion."""
        first = len(self.bodies)
        logins = [login(number) for number in range(first, first + PORTION)]
        portion = [*logins, login(first, ip=SAME_ADDRESS), f"not JSON {first}"]
        self.bodies += portion
        self.sent += self._queue.send(portion)

    def await_outcomes(self) -> None:
        """Wait until all that was sent has an outcome."""
        await_until(
            lambda: len(self._ledger.rows()) + len(self._ledger.rejections()) == len(self.sent), "all have an outcome"
        )


@pytest.mark.slow
def test_a_rotation_beside_a_running_job_loses_nothing_doubles_nothing_and_ends_with_one_key(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, database: Connection, dsn: str, keyset_uri: str
) -> None:
    traffic = Traffic(queue, ledger)
    file = Path(keyset_uri.removeprefix("file:"))
    keyset, postgres = f"--keyset={keyset_uri}", f"--postgres={dsn}"
    old = json.loads(file.read_text())["primaryKeyId"]
    job = start_job()
    traffic.arrive()
    traffic.await_outcomes()

    assert main(["keys", "add", keyset]) == 0
    new = json.loads(file.read_text())["key"][-1]["keyId"]
    assert main(["keys", "promote", keyset, str(new)]) == 0
    traffic.arrive()
    next_job = start_job()
    job.send_signal(signal.SIGTERM)
    traffic.arrive()
    assert job.wait() == 0, job.errors
    assert main(["remask", postgres, keyset]) == 0
    traffic.arrive()
    traffic.await_outcomes()
    assert main(["remask", postgres, keyset]) == 0
    assert main(["keys", "disable", keyset, postgres, str(old)]) == 0
    an_hour_passes(database)
    assert main(["keys", "destroy", keyset, postgres, str(old)]) == 0
    traffic.arrive()
    traffic.await_outcomes()
    next_job.send_signal(signal.SIGTERM)

    assert next_job.wait() == 0, next_job.errors
    ledger.check(traffic.sent)
    assert rows_of(database, "SELECT key_id FROM user_logins UNION SELECT key_id FROM rejected_messages") == [(new,)]
    values = stored_values(dsn, StoredKeyset(file.read_bytes(), keyset_uri))
    addresses = [json.loads(body)["ip"].encode() for body in traffic.bodies if body.startswith("{")]
    assert sorted(values["user_logins.masked_ip"]) == sorted(addresses)
    assert sorted(values["rejected_messages.body"]) == sorted(
        body.encode() for body in traffic.bodies if not body.startswith("{")
    )
    tokens = rows_of(database, "SELECT count(*) FROM user_logins GROUP BY masked_ip HAVING count(*) > 1")
    assert tokens == [(5,)]


class SteadyTraffic:
    """Messages that arrive all the time, from a thread of their own, while a block runs."""

    def __init__(self, queue: SqsQueue) -> None:
        self._queue = queue
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.addresses: dict[str, bytes] = {}

    def __enter__(self) -> SteadyTraffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._ended.wait(0.05):
            bodies = [login(number) for number in range(len(self.addresses), len(self.addresses) + 5)]
            sent = self._queue.send(bodies)
            self.addresses |= {
                message_id: json.loads(body)["ip"].encode() for message_id, body in zip(sent, bodies, strict=True)
            }


@pytest.mark.slow
def test_a_job_that_streams_through_a_whole_rotation_needs_no_restart_and_loses_nothing(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, database: Connection, dsn: str, keyset_uri: str
) -> None:
    file = Path(keyset_uri.removeprefix("file:"))
    keyset, postgres = f"--keyset={keyset_uri}", f"--postgres={dsn}"
    old = json.loads(file.read_text())["primaryKeyId"]
    job = start_job()

    def written_under(key_id: int) -> int:
        return int(value_of(database, "SELECT count(*) FROM user_logins WHERE key_id = %s", [key_id]))

    with SteadyTraffic(queue) as traffic:
        await_until(lambda: written_under(old) > 0, "the job writes")
        assert main(["keys", "add", keyset]) == 0
        new = json.loads(file.read_text())["key"][-1]["keyId"]
        assert main(["keys", "promote", keyset, str(new)]) == 0
        await_until(lambda: written_under(new) > 0, "the job masks under the new key")
        assert main(["remask", postgres, keyset]) == 0
        assert main(["keys", "disable", keyset, postgres, str(old)]) == 0
        before = written_under(new)
        await_until(lambda: written_under(new) > before, "the job goes on")
        an_hour_passes(database)
        assert main(["keys", "destroy", keyset, postgres, str(old)]) == 0
        before = written_under(new)
        await_until(lambda: written_under(new) > before, "the job still goes on")
    await_until(lambda: len(ledger.rows()) == len(traffic.addresses), "all have a row")
    job.send_signal(signal.SIGTERM)

    assert job.wait() == 0, job.errors
    ledger.check(list(traffic.addresses))
    assert written_under(old) == 0
    values = stored_values(dsn, StoredKeyset(file.read_bytes(), keyset_uri))
    assert sorted(values["user_logins.masked_ip"]) == sorted(traffic.addresses.values())


@pytest.mark.slow
def test_a_job_whose_key_is_disabled_ends_in_one_line_and_its_messages_stay_in_the_queue(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, dsn: str, keyset_uri: str, tmp_path: Path
) -> None:
    file = Path(keyset_uri.removeprefix("file:"))
    keyset, postgres = f"--keyset={keyset_uri}", f"--postgres={dsn}"
    old = json.loads(file.read_text())["primaryKeyId"]
    not_rolled_out = Path(shutil.copy(file, tmp_path / "not_rolled_out.json"))
    not_rolled_out.chmod(0o600)
    job = start_job(f"--keyset=file:{not_rolled_out}", "--visibility_timeout_seconds=10")
    sent = queue.send([login(number) for number in range(20)])
    await_until(lambda: len(ledger.rows()) == len(sent), "the job writes")
    assert main(["keys", "add", keyset]) == 0
    assert main(["keys", "promote", keyset, str(json.loads(file.read_text())["key"][-1]["keyId"])]) == 0
    assert main(["remask", postgres, keyset]) == 0
    assert main(["keys", "disable", keyset, postgres, str(old)]) == 0

    late = queue.send([*(login(number) for number in range(20, 40)), "not JSON"])

    assert job.wait() == 2
    # The writers of rows and of rejections find it at the same time, one in the statement, the other before it.
    assert re.fullmatch(
        f"keyset: key {old} is (not enabled|disabled) in this database, so nothing is written under it, and the "
        "messages stay in the queue; start the job with a keyset whose primary key is enabled there",
        job.failure(),
    )
    assert heading_for(2, job.errors) == "Exit code 2"
    assert len(ledger.rows()) == len(sent)
    assert queue.depth().total == len(late)
    next_job = start_job("--until_empty")
    assert next_job.wait(seconds=150) == 0, next_job.errors
    ledger.check(sent + late)
