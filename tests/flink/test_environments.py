"""Each of Flink's environment types writes every message, and needs nothing on a worker but what docs/flink.md says."""

from __future__ import annotations

import json
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.keys import StoredKeyset
from maskline.pipeline.flink.worker_pool import WorkerPool
from tests.flink.beam_worker import START_WORKER, BeamWorker, takes_beam_worker
from tests.flink.case import FlinkCase
from tests.flink.submitted_job import JOB_SERVER, takes_flink

MESSAGES = 20
SETUP_FILE = "--setup_file=./setup.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), takes_flink]


def test_loopback_runs_the_workers_in_the_submitting_process(case: FlinkCase) -> None:
    case.send(MESSAGES)

    submission = case.submit("--environment_type=LOOPBACK", "--environment_config=")
    case.await_accounted()

    submission.send_signal(signal.SIGINT)
    assert submission.wait() == 130, submission.errors
    assert case.running() == []
    case.check()


def test_a_jar_is_submitted_without_python_and_holds_no_key(
    case: FlinkCase, jar: Path, stored_keyset: StoredKeyset
) -> None:
    case.send(MESSAGES)
    written = case.start(
        "--runner=FlinkRunner",
        "--flink_master=[auto]",
        f"--output_executable_path={jar}",
        f"--flink_job_server_jar={JOB_SERVER}",
        "--environment_type=EXTERNAL",
        f"--environment_config={case.parts.workers.address}",
        "--allow_cleartext_keyset",
        through_proxies=False,
    )
    case.ended_well(written)

    case.parts.run_flink("run", "-d", str(jar))
    case.await_accounted()

    case.cancel(written)
    case.check()
    assert not any(secret in content for secret in secrets(stored_keyset) for content in contents(jar))


@takes_beam_worker
def test_a_process_of_the_taskmanager_installs_the_package_where_only_beam_is(
    case: FlinkCase, beam_worker: BeamWorker
) -> None:
    case.send(MESSAGES)
    environment = {"command": str(START_WORKER), "env": beam_worker.variables}

    submission = case.submit(
        SETUP_FILE, "--environment_type=PROCESS", f"--environment_config={json.dumps(environment)}"
    )
    case.await_accounted()

    assert beam_worker.running() != []
    assert beam_worker.has("maskline")
    case.cancel(submission)
    case.check()


@takes_beam_worker
def test_a_pool_installs_the_package_where_only_beam_is(
    case: FlinkCase, beam_worker: BeamWorker, tmp_path: Path
) -> None:
    case.send(MESSAGES)

    with WorkerPool(
        tmp_path / "pool.txt", beam_worker.python, beam_worker.variables, container_executable=START_WORKER
    ) as pool:
        submission = case.submit(SETUP_FILE, workers=pool)
        case.await_accounted()
        assert beam_worker.running() != []
        assert beam_worker.has("maskline")
        case.cancel(submission)

    case.check()


@pytest.fixture
def jar(tmp_path: Path) -> Iterator[Path]:
    """Where a job's jar goes; it is too large to be kept."""
    jar = tmp_path / "job.jar"
    yield jar
    jar.unlink(missing_ok=True)


def contents(jar: Path) -> Iterator[bytes]:
    """Return what is in the files of a jar that hold the job."""
    with zipfile.ZipFile(jar) as files:
        names = [name for name in files.namelist() if name.startswith("BEAM-PIPELINE") and not name.endswith("/")]
        assert names
        yield from map(files.read, names)


def secrets(keyset: StoredKeyset) -> list[bytes]:
    """Return the key material of a keyset in clear."""
    return [key["keyData"]["value"].encode() for key in json.loads(keyset.content)["key"]]
