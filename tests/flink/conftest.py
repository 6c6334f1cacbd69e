"""The parts of a case on a Flink cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue
from tests.awaiting import await_until
from tests.faults.case import Record
from tests.flink.beam_worker import BeamWorker
from tests.flink.case import FlinkCase, FlinkParts

LONGER_THAN_ANY_CASE_SECONDS = "43200"
"""The queue's own visibility time-out, so that what a killed worker held comes back by the job's time-out alone."""


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory, sqs: EmbeddedSqs) -> Iterator[FlinkParts]:
    """A cluster and what belongs to it; `sqs` puts credentials into the environment, where the workers find them."""
    with FlinkParts(tmp_path_factory.mktemp("parts")) as parts:
        yield parts


@pytest.fixture
def case(
    parts: FlinkParts, sqs: EmbeddedSqs, dsn: str, keyset_uri: str, tmp_path: Path, record_property: Record
) -> Iterator[FlinkCase]:
    """A case whose parts are all well."""
    url = sqs.create_queue(f"flink-{uuid.uuid4().hex}", {"VisibilityTimeout": LONGER_THAN_ANY_CASE_SECONDS})
    queue = SqsQueue.open(QueueAddress(url, sqs.endpoint))
    directory = tmp_path / "job"
    directory.mkdir()
    with FlinkCase(parts, queue, sqs.endpoint, dsn, keyset_uri, directory, record_property) as case:
        yield case


@pytest.fixture
def beam_worker(tmp_path: Path) -> Iterator[BeamWorker]:
    """An environment of the test's own with Beam alone, whose workers have ended when the test is over."""
    worker = BeamWorker(tmp_path)
    assert worker.has("apache_beam")
    assert not any(map(worker.has, ("maskline", "boto3", "psycopg", "tink")))
    yield worker
    await_until(lambda: worker.running() == [], "the workers have ended")
