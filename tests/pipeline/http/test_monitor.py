"""All that one port of a job serves, asked as scrapers ask."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from maskline.keys import KeysetUri
from maskline.pipeline.http.monitor import HttpMonitor
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.telemetry.job_metrics import JobMetrics
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import StreamDefinition

OPEN_METRICS = "application/openmetrics-text"


@pytest.fixture
def port(user_logins: StreamDefinition) -> Iterator[int]:
    """The port of a job of which none of the parts outside is asked."""
    job = JobSettings(
        user_logins,
        QueueAddress("logins"),
        PostgresDsn.parse("postgresql://writer@db/logins"),
        KeysetUri.parse("env:KEYSET"),
    )
    with HttpMonitor(job, JobMetrics(job, stall_seconds=300), "127.0.0.1", 0) as monitor:
        yield int(monitor.url.rstrip("/").rpartition(":")[2])


def scrape(port: int, accept: str = "") -> tuple[int, str, bytes]:
    """Ask for the metrics; return the status, the type and the text of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics", headers={"Accept": accept})
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (f"{OPEN_METRICS};version=1.0.0,text/plain;q=0.5", f"{OPEN_METRICS}; version=1.0.0; charset=utf-8"),
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (f"{OPEN_METRICS};version=newest", "text/plain; version=0.0.4; charset=utf-8"),
        (f"{OPEN_METRICS};version=2.x\r\n Set-Cookie: a=b", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_whatever_a_scraper_asks_for_it_is_answered_and_nothing_of_it_becomes_a_header(
    port: int, accept: str, media_type: str
) -> None:
    status, told, text = scrape(port, accept)

    assert status == 200
    assert told.startswith(media_type)
    assert "\n" not in told
    assert b"maskline_build_info" in text


def test_two_scrapes_at_once_are_each_answered_whole(port: int) -> None:
    with ThreadPoolExecutor(8) as scrapers:
        answers = list(scrapers.map(lambda _: scrape(port), range(32)))

    described = {tuple(line for line in text.splitlines() if line.startswith(b"# TYPE")) for _, _, text in answers}
    assert {status for status, _, _ in answers} == {200}
    assert len(described) == 1
