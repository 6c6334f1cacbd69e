"""Ctrl-C and SIGTERM have ``run`` cancel its job at Flink, whoever started the job server, and no other job."""

from __future__ import annotations

import signal

import psutil
import pytest

from maskline.pipeline.local.processes import running_process
from tests.awaiting import await_until
from tests.flink.case import FlinkCase
from tests.flink.submitted_job import JOB_SERVER, takes_flink

BEAMS_OWN_JOB_SERVER = ("--job_endpoint=", f"--flink_job_server_jar={JOB_SERVER}")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), takes_flink]


@pytest.mark.parametrize(
    ("job_server", "number"),
    [((), signal.SIGINT), (BEAMS_OWN_JOB_SERVER, signal.SIGTERM)],
    ids=["the user's and Ctrl-C", "Beam's and SIGTERM"],
)
def test_the_job_is_canceled_and_another_of_its_name_runs_on(
    case: FlinkCase, job_server: tuple[str, ...], number: signal.Signals
) -> None:
    case.submit()
    others = case.running()
    submission = case.submit(*job_server)
    job_servers = psutil.Process(submission.pid).children(recursive=True)
    assert len(job_servers) == bool(job_server)

    submission.send_signal(number)

    assert submission.wait() == 130, submission.errors
    assert case.running() == others
    assert "Flink has canceled job" in submission.errors
    assert "Traceback" not in submission.errors
    assert [server for server in job_servers if running_process(server.pid, "")] == [], "none is left behind"


@pytest.mark.parametrize(("moment", "number"), [("Invoking job", signal.SIGINT), ("Submitting job", signal.SIGTERM)])
def test_a_job_that_is_on_its_way_to_flink_does_not_come_to_stay(
    case: FlinkCase, moment: str, number: signal.Signals
) -> None:
    log = case.parts.directory / "job-server.txt"
    before = log.read_text().count(moment)
    submission = case.start(*case.parts.options(case.parts.workers), through_proxies=False)
    await_until(lambda: log.read_text().count(moment) > before, "the job server is so far")

    submission.send_signal(number)

    assert submission.wait() in (0, 130), submission.errors
    assert case.running() == []
    assert "Traceback" not in submission.errors
