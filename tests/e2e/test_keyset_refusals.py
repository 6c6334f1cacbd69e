"""A keyset that cannot mask stops a job before it takes a message, with one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import tink
from tink import aead, json_proto_keyset_format, secret_key_access

from maskline.sqs import SqsQueue
from tests.aws_emulation import EmulatedAws
from tests.e2e.conftest import login
from tests.e2e.job_process import JobProcess

AWS_KEYSET = "aws-secretsmanager://maskline/keyset"
UNCHECKED = """
import maskline.pipeline.running
from maskline.pipeline.cli import run
maskline.pipeline.running.preflight_with_retries = lambda job: []
run()
"""
"""The job without the check before it: what the starter could read, a worker may not."""


def start_with(job_options: list[str], uri: str, environment: dict[str, str] | None = None) -> JobProcess:
    """Start a job with another keyset."""
    return JobProcess(["run", *job_options, f"--keyset={uri}"], environment)


def aes_gcm_file(tmp_path: Path) -> str:
    """Make a keyset of another kind of key."""
    aead.register()
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    return private_file(tmp_path, json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))


def private_file(tmp_path: Path, content: str) -> str:
    """Write a file for its owner alone, and return its URI."""
    file = tmp_path / "other.json"
    file.write_text(content)
    file.chmod(0o600)
    return f"file:{file}"


def assert_refused(job: JobProcess, queue: SqsQueue, complaint: str) -> None:
    """Fail unless a job ended with one line, exit code 2, and the message still in its queue."""
    assert job.wait() == 2
    assert complaint in job.errors
    assert "Traceback" not in job.errors
    (message,) = queue.receive(10, 0, 0)
    assert message.receive_count == 1


@pytest.fixture(autouse=True)
def _one_message(queue: SqsQueue) -> None:
    queue.send([login(1)])


def test_an_unknown_scheme(job_options: list[str], queue: SqsQueue) -> None:
    job = start_with(job_options, "vault:secret/keyset")

    assert_refused(job, queue, "keyset vault: give a URI that begins with one of file:, env:, aws-secretsmanager:")


def test_a_broken_keyset(job_options: list[str], queue: SqsQueue, tmp_path: Path) -> None:
    job = start_with(job_options, private_file(tmp_path, '{"primaryKeyId": 1, "key": ['))

    assert_refused(job, queue, "is not a Tink keyset in JSON; is it the right file?")


def test_a_keyset_of_another_kind_of_key(job_options: list[str], queue: SqsQueue, tmp_path: Path) -> None:
    job = start_with(job_options, aes_gcm_file(tmp_path))

    assert_refused(job, queue, "is a AesGcmKey; masking needs AES256_SIV keys")


def test_a_missing_right(job_options: list[str], queue: SqsQueue, aws: EmulatedAws) -> None:
    credentials = aws.credentials_for("sqs:*")
    with aws.enforcing_permissions():
        job = start_with(job_options, AWS_KEYSET, aws.environment | credentials)

        assert_refused(job, queue, "Secrets Manager refuses these credentials (403); it takes secretsmanager:GetSecret")


def test_a_kms_key_that_may_not_be_used(
    job_options: list[str], queue: SqsQueue, aws: EmulatedAws, keyset_uri: str, tmp_path: Path
) -> None:
    uri = f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path / 'wrapped.json'}"
    wrapping = JobProcess(["keys", "wrap", f"--keyset={keyset_uri}", f"--target={uri}"])
    assert wrapping.wait() == 0, wrapping.errors
    credentials = aws.credentials_for("kms:Encrypt")
    with aws.enforcing_permissions():
        job = start_with(job_options, uri, aws.environment | credentials)

        assert_refused(job, queue, "KMS refuses these credentials (403); reading it needs kms:Decrypt")


def test_one_that_only_the_workers_find_unreadable(
    job_options: list[str], queue: SqsQueue, tmp_path: Path, runner_options: list[str]
) -> None:
    arguments = ["run", *job_options, *runner_options, f"--keyset=file:{tmp_path / 'none.json'}"]
    job = JobProcess(arguments, program=("-c", UNCHECKED))

    assert_refused(job, queue, "none.json: No such file or directory")
