"""What is handed to Dataflow, as far as it can be made without an account: the job's description and staged files.

`DataflowRunner` makes a template of our graph in a local directory; only the upload, and Google, are missing.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

from maskline.keys import KeysetUri, StoredKeyset, keyset_provider
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_store import store_keyset
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.streams.definition import StreamDefinition
from tests.aws_emulation import EmulatedAws
from tests.beam_graph import unpacked
from tests.e2e.job_process import PROJECT
from tests.maskline.key_traces import holds, keys_of, traces

pytestmark = pytest.mark.heavy

PASSWORD = "correct-horse-battery-staple"
Describe = Callable[[str], Path]


@pytest.fixture
def describe(tmp_path: Path, user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch) -> Describe:
    """Describe the job for Dataflow, the keyset of a URI, in a directory."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    # What --setup_file packs: made in the directory it stands in, so in a copy.
    project = tmp_path / "project"
    project.mkdir()
    for name in ("maskline", "transforms", "pipeline"):
        shutil.copytree(PROJECT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(PROJECT / name, project / name)

    def describe_job(keyset: str) -> Path:
        described = tmp_path / "described"
        (described / "staging").mkdir(parents=True)
        options = PipelineOptions(
            [
                "--streaming",
                "--project=a-project",
                "--region=europe-west3",
                "--job_name=maskline-user-logins",
                f"--staging_location={described / 'staging'}",
                f"--temp_location={described / 'temp'}",
                f"--template_location={described / 'job.json'}",
                f"--setup_file={project / 'setup.py'}",
                "--no_auth",
            ]
        )
        # Not by --runner, for then Beam wants both locations to be buckets that there are.
        pipeline = beam.Pipeline(options=options)
        queue = QueueAddress("https://sqs.eu-central-1.amazonaws.com/123456789012/logins")
        build(
            pipeline,
            JobSettings(
                user_logins,
                queue,
                PostgresDsn.parse("postgresql://writer@db.example.com/logins"),
                KeysetUri.parse(keyset),
            ),
        )
        DataflowRunner().run_pipeline(pipeline, options)
        return described

    return describe_job


@pytest.fixture(params=["in a file", "in the environment", "encrypted by KMS"])
def uri(
    request: pytest.FixtureRequest,
    stored_keyset: StoredKeyset,
    aws: EmulatedAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The keyset's URI, by each kind of provider."""
    if request.param == "in the environment":
        monkeypatch.setenv("KEYSET", stored_keyset.content.decode())
        return "env:KEYSET"
    if request.param == "in a file":
        return str(request.getfixturevalue("keyset_uri"))
    provider = keyset_provider(f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path / 'wrapped.json'}")
    store_keyset(keyset_handle(stored_keyset), provider)
    return provider.uri


def test_nothing_that_dataflow_is_handed_holds_a_key_or_a_password(
    describe: Describe, uri: str, stored_keyset: StoredKeyset
) -> None:
    (key,) = keys_of(stored_keyset.content)

    described = describe(uri)

    handed = {name: unpacked(content) for name, content in _contents(described).items()}
    assert {name for name, content in handed.items() if holds(content, traces(key) | {PASSWORD.encode()})} == set()
    assert uri.encode() in handed["staging/pipeline.pb"]


def test_the_job_is_a_streaming_one_of_ours_with_our_code(describe: Describe) -> None:
    described = describe("env:KEYSET")

    job: dict[str, Any] = json.loads((described / "job.json").read_text())
    assert (job["name"], job["type"]) == ("maskline-user-logins", "JOB_TYPE_STREAMING")
    assert "enable_streaming_engine" in job["environment"]["experiments"]
    (pool,) = job["environment"]["workerPools"]
    assert [package["name"] for package in pool["packages"]] == ["workflow.tar.gz"]
    contents = _contents(described)
    assert {"workflow.tar.gz: maskline/streams/user_logins.toml", "workflow.tar.gz: pipeline/job.py"} <= contents.keys()
    graph = beam_runner_api_pb2.Pipeline.FromString(contents["staging/pipeline.pb"])
    names = {transform.unique_name for transform in graph.components.transforms.values()}
    assert {"Receive from SQS", "Mask", "Write rows", "Delete rows' messages"} <= names
    assert not any("GroupByKey" in name and "Receive from SQS/Spread" not in name for name in names)


def _contents(described: Path) -> dict[str, bytes]:
    """Return the contents of all files, those in archives included."""
    contents = {}
    for path in (path for path in described.rglob("*") if path.is_file()):
        contents[str(path.relative_to(described))] = path.read_bytes()
        if path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                for member in archive.getmembers():
                    file = archive.extractfile(member)
                    if file is not None:
                        inner = member.name.partition("/")[2]
                        contents[f"{path.name}: {inner}"] = file.read()
    return contents
