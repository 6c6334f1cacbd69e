"""A whole rotation beside a running job: none lost, none doubled, every value recoverable, equal values equal again."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from maskline.keys import StoredKeyset
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.e2e.conftest import Ledger, StartJob, login
from tests.maskline.postgres.records import rows_of
from tests.maskline.stored_tokens import stored_values
from tests.pipeline.commands.keys.conftest import an_hour_passes

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
