"""The job as it is submitted to Dataflow, and as a worker runs what was staged; Google's APIs are a stand-in."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import ExternalEnvironment

from maskline.keys import StoredKeyset, keyset_provider
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_store import store_keyset
from maskline.pipeline.flink.worker_pool import WorkerPool
from maskline.postgres.connection import Connection
from maskline.sqs import QueueAddress, SqsQueue
from tests.awaiting import await_until
from tests.aws_emulation import EmulatedAws
from tests.beam_graph import unpacked
from tests.dataflow.google_cloud import BUCKET, PROJECT, REGION, TOKEN, EmulatedGoogle
from tests.e2e.conftest import Ledger, login
from tests.e2e.job_process import JobProcess
from tests.flink.beam_worker import START_WORKER, BeamWorker, takes_beam_worker
from tests.install.environments import copy_of_checkout
from tests.maskline.key_traces import holds, keys_of, traces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PASSWORD = "correct-horse-battery-staple"
AWS_SECRET = "wJalrXUtnFEMI-of-a-stand-in"
IMAGE = "europe-west3-docker.pkg.dev/shop/maskline/worker:1"
CANCELED = 5
"""``JOB_STATE_CANCELLED``."""

SETUPTOOLS = "setuptools==84.0.0"
"""As in Beam's images, where pip builds the staged package with what is installed.

Source: sdks/python/container/py311/base_image_requirements.txt of Beam 2.77
"""


class Submission(msgspec.Struct, frozen=True):
    """A job that the stand-in has taken.

    Attributes:
        google: The stand-in.
        process: The command that submitted it, and waits for its end.
        job: Its description.
    """

    google: EmulatedGoogle
    process: JobProcess
    job: dict[str, Any]

    def graph(self) -> beam_runner_api_pb2.Pipeline:
        """Return its graph as it was staged."""
        url = self.job["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
        return beam_runner_api_pb2.Pipeline.FromString(self.google.objects[url.removeprefix(f"gs://{BUCKET}/")])


@pytest.fixture
def keyset(aws: EmulatedAws, stored_keyset: StoredKeyset) -> str:
    """The URI of a keyset that a key of KMS encrypts."""
    provider = keyset_provider(f"aws-kms://{aws.create_kms_key()}?keyset=s3://{aws.create_bucket()}/logins.json")
    store_keyset(keyset_handle(stored_keyset), provider)
    return provider.uri


@pytest.fixture
def ledger(database: Connection, queue: SqsQueue) -> Ledger:
    """The ledger of the test's own queue and database."""
    return Ledger(database, queue)


@pytest.fixture
def submission(
    dsn: str, queue_address: QueueAddress, keyset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Submission]:
    """The job of the test's own parts, which ends with its queue, submitted as docs/dataflow.md has it."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
    checkout = copy_of_checkout(tmp_path / "checkout")
    with EmulatedGoogle() as google:
        process = JobProcess(
            [
                "run",
                f"--postgres={dsn}",
                f"--queue={queue_address.queue}",
                f"--queue_endpoint={queue_address.endpoint}",
                f"--keyset={keyset}",
                "--until_empty",
                "--runner=DataflowRunner",
                f"--dataflow_endpoint=http://localhost:{google.port}",
                f"--project={PROJECT}",
                f"--region={REGION}",
                "--job_name=maskline-user-logins",
                f"--temp_location=gs://{BUCKET}/temp",
                f"--setup_file={checkout / 'setup.py'}",
                f"--requirements_file={checkout / 'requirements-worker.lock'}",
                "--requirements_cache=skip",
                f"--sdk_container_image={IMAGE}",
                "--service_account_email=maskline@shop.iam.gserviceaccount.com",
                "--subnetwork=regions/europe-west3/subnetworks/jobs",
                "--no_use_public_ips",
                "--dataflow_service_options=streaming_mode_at_least_once",
                "--num_workers=1",
                "--max_num_workers=2",
            ],
            google.environment(tmp_path),
        )
        try:
            await_until(lambda: google.jobs != [] or not process.is_running(), "the job was taken")
            assert google.jobs, process.wait() and process.errors
            yield Submission(google, process, google.jobs[0])
        finally:
            process.kill()


def test_dataflow_is_handed_the_job_as_asked_for_and_no_secret_and_a_ctrl_c_cancels_it(
    queue: SqsQueue, keyset: str, stored_keyset: StoredKeyset, submission: Submission
) -> None:
    (key,) = keys_of(stored_keyset.content)
    queue.send([login(1)])
    await_until(lambda: "Dataflow has taken job" in submission.process.errors_so_far(), "the job is waited for")

    submission.process.send_signal(signal.SIGINT)
    exit_code = submission.process.wait()

    assert exit_code == 130, submission.process.errors
    assert "Dataflow has taken job job-0 (https://console.cloud.google.com/dataflow/" in submission.process.errors
    assert "Dataflow says that the job is CANCELLED." in submission.process.errors
    assert '"level": "ERROR"' not in submission.process.errors
    assert submission.job["currentState"] == CANCELED
    assert_described(submission.job)
    google = submission.google
    staged = {name.rpartition("/")[2]: content for name, content in google.objects.items()}
    assert staged.keys() == {
        "pipeline.pb",
        "requirements.txt",
        "submission_environment_dependencies.txt",
        "workflow.tar.gz",
    }
    assert keyset.encode() in unpacked(staged["pipeline.pb"]), "what is packed within the graph is read, too"
    files = {name.partition("/")[2]: content for name, content in members(staged["workflow.tar.gz"])}
    assert {
        "pyproject.toml",
        "maskline/streams/user_logins.toml",
        "pipeline/job.py",
        "transforms/mask.py",
    } <= files.keys()
    sent = [
        unpacked(content) for content in (*staged.values(), *files.values(), *(one.body for one in google.requests))
    ]
    sent += [json.dumps([one.path, one.query]).encode() for one in google.requests]
    secrets = {PASSWORD, AWS_SECRET, TOKEN, *google.private_key.splitlines()[1:-1]}
    personal = {"00000000-0000-0000-0000-000000000001", "198.51.0.1", "593-47-0001"}
    sought = traces(key) | {text.encode() for text in secrets | personal}
    assert [content[:80] for content in sent if holds(content, sought)] == []


@takes_beam_worker
def test_a_worker_with_beam_alone_installs_what_was_staged_and_writes_every_message(
    queue: SqsQueue, ledger: Ledger, submission: Submission, tmp_path: Path
) -> None:
    sent = queue.send([login(1), login(2), "not JSON"])
    worker = BeamWorker(tmp_path)
    subprocess.run([worker.python, "-m", "pip", "install", "--quiet", SETUPTOOLS], check=True)
    assert not any(map(worker.has, ("maskline", "boto3", "psycopg", "tink", "google.cloud.storage")))

    with WorkerPool(tmp_path / "pool.txt", worker.python, worker.variables, container_executable=START_WORKER) as pool:
        graph = placed(submission, pool)
        result = FnApiRunner().run_via_runner_api(graph, PipelineOptions(["--streaming"]))
    await_until(lambda: worker.running() == [], "the worker has ended")

    assert result.state == "DONE"
    assert worker.has("maskline")
    ledger.check(sent)
    assert len(ledger.rejections()) == 1


def placed(submission: Submission, pool: WorkerPool) -> beam_runner_api_pb2.Pipeline:
    """Return the staged graph with a pool in place of the container; all else, what it unpickles too, is as staged.

    The worker takes the staged files by HTTP, for Beam's own artifact service does not read buckets.
    """
    graph = submission.graph()
    external = ExternalEnvironment(pool.address).to_runner_api(None)
    for environment in graph.components.environments.values():
        environment.urn, environment.payload = external.urn, external.payload
        for dependency in environment.dependencies:
            staged = beam_runner_api_pb2.ArtifactUrlPayload.FromString(dependency.type_payload)
            staged.url = submission.google.public_url(staged.url)
            dependency.type_payload = staged.SerializeToString()
    return graph


def assert_described(job: dict[str, Any]) -> None:
    """Fail unless the description of a job says what was asked for."""
    environment = job["environment"]
    (pool,) = environment["workerPools"]
    assert job["name"] == "maskline-user-logins"
    assert job["type"] == 2, "JOB_TYPE_STREAMING"
    assert environment["version"]["job_type"] == "FNAPI_STREAMING"
    assert environment["serviceOptions"] == ["streaming_mode_at_least_once"]
    assert environment["serviceAccountEmail"] == "maskline@shop.iam.gserviceaccount.com"
    assert {"enable_streaming_engine", "use_runner_v2", "disable_always_on_exception_sampling"} <= set(
        environment["experiments"]
    )
    assert environment["tempStoragePrefix"].startswith(f"storage.googleapis.com/{BUCKET}/temp/maskline-user-logins.")
    assert (pool["numWorkers"], pool["autoscalingSettings"]["maxNumWorkers"]) == (1, 2)
    assert pool["ipConfiguration"] == 2, "WORKER_IP_PRIVATE"
    assert pool["subnetwork"] == "regions/europe-west3/subnetworks/jobs"
    assert [image["containerImage"] for image in pool["sdkHarnessContainerImages"]] == [IMAGE]
    packages = {package["name"]: package["location"] for package in pool["packages"]}
    assert packages.keys() == {"requirements.txt", "submission_environment_dependencies.txt", "workflow.tar.gz"}
    assert all(location.startswith(environment["tempStoragePrefix"]) for location in packages.values())


def members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of a packed archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member in packed.getmembers():
            file = packed.extractfile(member)
            if file is not None:
                yield member.name, file.read()
