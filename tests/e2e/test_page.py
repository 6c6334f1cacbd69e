"""The page, the metrics and the probes of a running job, as a person, Prometheus and Kubernetes meet them."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By

from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.browser import DESKTOP, PHONE, await_text, complaints, open_browser
from tests.e2e.conftest import WRONG_TYPE, Ledger, StartJob, login
from tests.e2e.job_process import JobProcess
from tests.faults.points import Direction, Hold
from tests.faults.postgres_wire import dsn_through, postgres_connect
from tests.faults.tcp_proxy import TcpProxy


class HangingProxy(TcpProxy):
    """Acknowledges all that is sent through it, and passes none of it on, while it hangs."""

    _hanging: Hold | None = None

    def hang(self) -> None:
        """Hang from now on, new conversations included."""
        self._hanging = Hold()

    def go_on(self) -> None:
        """Pass on what was held, and all that comes."""
        if self._hanging is not None:
            self._hanging.released.set()
            self._hanging = None

    def fault_at(self, direction: Direction, message: bytes) -> Hold | float | None:
        """Hold every message while it hangs."""
        return self._hanging or super().fault_at(direction, message)


def page_of(job: JobProcess) -> str:
    """Return the URL at which a job says that its page is."""
    pattern = re.compile(r"(?:Serving a page, metrics and probes|Watch it) at (http://\S+/)")
    await_until(lambda: bool(pattern.search(job.printed())), "the job says where its page is")
    found = pattern.search(job.printed())
    assert found
    return found[1]


def status(url: str) -> int:
    """Return the HTTP status of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def text(url: str) -> str:
    """Return what a GET answers, whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


def summary(job: JobProcess) -> dict[str, str]:
    """Return the summary that a job printed at its end, spaces left out."""
    return dict(line.strip("│").split("│") for line in job.output.replace(" ", "").splitlines() if "│" in line)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_the_page_shows_what_the_summary_then_prints(start_job: StartJob, queue: SqsQueue, processes: int) -> None:
    queue.send([*(login(number) for number in range(150)), WRONG_TYPE])
    job = start_job("--http_port=0", f"--processes={processes}")

    with open_browser(DESKTOP) as browser:
        browser.get(page_of(job))
        await_text(browser, "total-deleted", "151")
        queue.send([*(login(number) for number in range(1000, 1040)), "not JSON"])  # while somebody looks
        await_text(browser, "total-deleted", "192")
        await_text(browser, "database", "✓ database")
        shown = {
            name: browser.find_element(By.ID, f"total-{name}").text for name in ("received", "written", "rejected")
        }
        words = browser.find_element(By.ID, "charts").get_attribute("textContent") or ""
        legends = browser.find_elements(By.CSS_SELECTOR, ".u-legend")
        said = complaints(browser)
    job.send_signal(signal.SIGTERM)

    assert job.wait() == 0, job.errors
    printed = summary(job)
    assert shown == {"received": "192", "written": "190", "rejected": "2"}
    assert {name: printed[name] for name in shown} == shown
    assert "not json" in words
    assert "missing field" in words
    assert len(legends) == 6
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize(("size", "is_dark"), [(PHONE, True), (DESKTOP, False)])
def test_the_page_fits_the_screen_and_the_colors_that_are_preferred(
    start_job: StartJob, queue: SqsQueue, size: tuple[int, int], is_dark: bool
) -> None:
    queue.send([login(1), WRONG_TYPE])
    job = start_job("--http_port=0")

    with open_browser(size, is_dark=is_dark) as browser:
        browser.get(page_of(job))
        await_text(browser, "total-received", "2")
        width = browser.execute_script("return document.documentElement.scrollWidth")
        ground = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")

    assert width <= size[0]
    assert ground == ("rgba(17, 21, 26, 1)" if is_dark else "rgba(246, 247, 249, 1)")


@pytest.mark.slow
def test_nothing_that_is_served_holds_a_value_of_a_message(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger
) -> None:
    queue.send([login(1, ip="203.0.113.77", device_id="my-own-phone"), '{"ip": "203.0.113.78"}'])
    job = start_job("--http_port=0")
    url = page_of(job)
    await_until(lambda: 'maskline_deleted_total{stream="user_logins"} 2.0' in text(f"{url}metrics"), "both are deleted")

    served = [text(f"{url}{path}") for path in ("", "metrics", "live", "ready", "samples")]

    assert [mark for mark in ("203.0.113", "my-own-phone") for page in served if mark in page] == []


@pytest.fixture
def database_line(dsn: str) -> Iterator[HangingProxy]:
    """A line to the database that can hang."""
    proxy = HangingProxy(postgres_connect(dsn))
    with proxy:
        yield proxy


@pytest.mark.slow
def test_a_job_whose_database_hangs_is_neither_live_nor_ready_until_it_answers_again(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, dsn: str, database_line: HangingProxy
) -> None:
    job = start_job("--http_port=0", "--stall_seconds=8", f"--postgres={dsn_through(database_line, dsn)}")
    url = page_of(job)
    sent = queue.send([login(1)])
    await_until(lambda: len(ledger.rows()) == 1, "a first message is written")
    await_until(lambda: status(f"{url}ready") == 200, "all parts have answered")
    assert status(f"{url}live") == 200

    database_line.hang()
    sent += queue.send([login(2)])
    await_until(lambda: status(f"{url}live") == 503, "the probe sees it")
    await_until(lambda: not json.loads(text(f"{url}ready"))["database"]["is_ready"], "the database is not ready")
    database_line.go_on()

    await_until(lambda: status(f"{url}live") == 200, "it moves again", seconds=60)
    await_until(lambda: status(f"{url}ready") == 200, "the database answers again", seconds=60)
    await_until(lambda: len(ledger.rows()) == 2, "the second message is written")
    job.send_signal(signal.SIGTERM)
    assert job.wait() == 0, job.errors
    ledger.check(sent)
