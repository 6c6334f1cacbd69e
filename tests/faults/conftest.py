"""The parts of a fault case."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from benchmarks.servers.elasticmq import ElasticMq
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue
from tests.conftest import prism_options
from tests.faults.case import FaultCase, Record
from tests.faults.postgres_wire import dsn_through

BROKERS = ("ministack", "ElasticMQ")
RUNNERS = ("FnApiRunner", "Prism")
EVERY_ENGINE = "MASKLINE_TEST_FAULTS_ON_EVERY_ENGINE"
"""The environment variable that has every case run on every engine, as the report does."""

on_both_brokers = pytest.mark.parametrize(
    "broker", [BROKERS[0], pytest.param(BROKERS[1], marks=pytest.mark.slow)], indirect=True
)
on_elasticmq = pytest.mark.parametrize("broker", BROKERS[1:], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave Prism's half of the scenarios to the slow tests: it is the same code in front of another engine."""
    for item in items:
        if item.get_closest_marker("prism") and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every case on every engine where `EVERY_ENGINE` is set, but those that choose one themselves."""
    names = metafunc.fixturenames
    chooses = "runner_options" in names or metafunc.definition.get_closest_marker("one_engine")
    if "default_engine" in names and not chooses and EVERY_ENGINE in os.environ:
        metafunc.parametrize("default_engine", RUNNERS, indirect=True)


def quick_and_slow(quick: Iterable[str], every: Iterable[str]) -> list[Any]:
    """Return parameters of which those that are not quick are left to the slow tests."""
    return [pytest.param(name, id=name, marks=[] if name in quick else pytest.mark.slow) for name in every]


class Broker(Protocol):
    """A server with an SQS API."""

    @property
    def endpoint(self) -> str:
        """The URL of the API."""

    def create_queue(self, name: str) -> str:
        """Create a queue and return its URL."""


@pytest.fixture
def broker(request: pytest.FixtureRequest, sqs: EmbeddedSqs) -> Broker:
    """The server of the case's queue: the embedded one, or the one that the test is parametrized with."""
    if getattr(request, "param", BROKERS[0]) == BROKERS[0]:
        return sqs
    server: ElasticMq = request.getfixturevalue("elasticmq")
    return server


@pytest.fixture
def case_dsn(dsn: str) -> str:
    """The database of the case; a module with a server of its own gives another."""
    return dsn


@pytest.fixture
def default_engine(request: pytest.FixtureRequest) -> list[str]:
    """What chooses the engine of a case that does not say it itself: nothing, but in a run on every engine."""
    if getattr(request, "param", RUNNERS[0]) == RUNNERS[0]:
        return []
    return prism_options()


@pytest.fixture
def case(
    broker: Broker,
    case_dsn: str,
    keyset_uri: str,
    tmp_path: Path,
    record_property: Record,
    default_engine: list[str],
) -> Iterator[FaultCase]:
    """A case whose parts are all well."""
    queue = SqsQueue.open(QueueAddress(broker.create_queue(f"fault-{uuid.uuid4().hex}"), broker.endpoint))
    directory = tmp_path / "job"
    directory.mkdir()
    fixed = (queue, broker.endpoint, case_dsn, keyset_uri, directory, record_property)
    with FaultCase(*fixed, engine=default_engine) as case:
        yield case


@pytest.fixture
def as_writer(case: FaultCase) -> Iterator[str]:
    """The option that lets a job log in with the permissions of ``maskline_writer`` alone."""
    role = f"writer_{uuid.uuid4().hex}"
    case.sql(f"CREATE ROLE {role} LOGIN IN ROLE maskline_writer")
    yield f"--postgres={dsn_through(case.database_line, case.dsn, user=role)}"
    case.sql(f"DROP ROLE {role}")
