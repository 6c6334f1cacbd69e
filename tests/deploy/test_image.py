"""The image: what its Dockerfile says, by Docker's own linter, and that its user and file system are enough."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.sqs import QueueAddress, SqsQueue
from tests.deploy.sealed_system import DOCKERFILE, run_sealed, takes_mounts
from tests.deploy.tools_built import DEPLOY, run_tool, takes
from tests.e2e.conftest import Ledger, login
from tests.e2e.job_process import PROJECT
from tests.faults.postgres_wire import dsn_through, postgres_proxy
from tests.pinned import canonical, pins

CYCLONEDX = Path(sys.executable).parent / "cyclonedx-py"
IGNORED = (PROJECT / ".dockerignore").read_text().splitlines()

HELP_OF_EVERY_COMMAND = """
import contextlib, io, re
from maskline.pipeline.cli import COMMANDS, main

def shown(*command):
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return text.getvalue()

for name in COMMANDS:
    text = shown(name)
    assert "usage:" in text, name
    actions = re.findall(r"^    (\\w[\\w-]+)\\s", text.partition("ACTION\\n")[2].partition("options:")[0], re.MULTILINE)
    for action in actions:
        assert "usage:" in shown(name, action), (name, action)
    print(name, *actions)
"""
TRESPASSING = """
import os
for place in ("/", "/usr", "/etc", "/source/maskline", "/dev"):
    try:
        open(f"{place}/written", "w")
        print("wrote in", place)
    except OSError as error:
        print(place, error.strerror)
open("/tmp/written", "w")
print(os.getuid(), [line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd"))])
"""


@takes("dockerfile_lint")
@pytest.mark.parametrize("name", ["Dockerfile", "flink/kubernetes/Dockerfile"])
def test_docker_s_linter_finds_nothing(name: str) -> None:
    linted = run_tool("dockerfile_lint", DEPLOY / name)

    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


@takes("dockerfile_lint")
def test_docker_s_linter_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python as build\nENV PASSWORD=1\nCMD python\n")

    found = run_tool("dockerfile_lint", tmp_path / "Dockerfile").stdout

    assert re.findall(r"\w+(?=:)", found).count("SecretsUsedInArgOrEnv") == 1
    assert "FromAsCasing" in found
    assert "JSONArgsRecommended" in found


def test_the_base_is_named_by_its_digest_and_every_stage_stands_on_it() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(.+)$", DOCKERFILE, re.MULTILINE)
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", DOCKERFILE, re.MULTILINE)

    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert stages == [("${PYTHON}", "build"), ("build", "sbom"), ("${PYTHON}", "")]


def test_it_runs_as_a_user_who_is_a_number_and_is_not_root() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]

    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["9999:9999"]
    assert re.findall(r"^VOLUME (.+)$", last, re.MULTILINE) == ["/tmp"]
    assert "pip" not in last


def test_nothing_is_installed_but_by_hashes() -> None:
    for line in re.findall(r"pip\S* .*?\binstall\b.*", DOCKERFILE):
        assert "--require-hashes" in line or "--no-deps /wheels" in line, line
    assert pins(DEPLOY / "sbom.lock")["cyclonedx-bom"] == pins()["cyclonedx-bom"]
    assert "--no-build-isolation" in DOCKERFILE


def test_a_builder_is_sent_what_is_copied_and_nothing_else() -> None:
    copied = set()
    for dockerfile in (DOCKERFILE, (DEPLOY / "flink" / "kubernetes" / "Dockerfile").read_text()):
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
            copied.update(line.split())

    assert IGNORED[2] == "*"
    assert {line[1:] for line in IGNORED if line.startswith("!")} == copied
    assert all((PROJECT / path).exists() for path in copied)


@pytest.mark.slow
@pytest.mark.skipif(not CYCLONEDX.exists(), reason="cyclonedx-bom is not installed; tests/requirements.txt has it")
def test_the_list_of_packages_names_each_with_its_version(tmp_path: Path) -> None:
    (line,) = re.findall(r"cyclonedx-py (environment .+)", DOCKERFILE.replace("\\\n", " "))
    here = {"/sbom.cdx.json": str(tmp_path / "sbom.json"), "/opt/maskline/bin/python": sys.executable}

    subprocess.run([CYCLONEDX, *(here.get(word, word) for word in line.split())], check=True, capture_output=True)

    listed = json.loads((tmp_path / "sbom.json").read_text())
    versions = {canonical(component["name"]): component["version"] for component in listed["components"]}
    assert listed["bomFormat"] == "CycloneDX"
    assert {"apache-beam", "boto3", "tink"} <= versions.keys()
    assert {name: version for name, version in pins().items() if versions.get(name, version) != version} == {}


@takes_mounts
@pytest.mark.slow
def test_every_command_starts_in_a_file_system_that_is_read_only(tmp_path: Path) -> None:
    tried = run_sealed(["-c", TRESPASSING], tmp_path)
    helped = run_sealed(["-c", HELP_OF_EVERY_COMMAND], tmp_path)

    assert tried.stdout.splitlines() == [
        "/ Read-only file system",
        "/usr Read-only file system",
        "/etc Read-only file system",
        "/source/maskline Read-only file system",
        "/dev Read-only file system",
        "9999 ['0000000000000000', '0000000000000000']",
    ], tried.stderr
    assert helped.returncode == 0, helped.stderr
    assert "keys create" in helped.stdout
    assert "\nrun\n" in helped.stdout


@takes_mounts
@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_a_job_runs_as_that_user_in_that_file_system(
    processes: int,
    queue: SqsQueue,
    queue_address: QueueAddress,
    dsn: str,
    keyset_uri: str,
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    sent = queue.send([login(1), login(2), "not JSON"])
    keyset = Path(keyset_uri.partition(":")[2])
    os.chown(keyset, 9999, 9999)
    options = {
        "MASKLINE_QUEUE": queue_address.queue,
        "MASKLINE_QUEUE_ENDPOINT": str(queue_address.endpoint),
        "MASKLINE_KEYSET": keyset_uri,
        "MASKLINE_PROCESSES": str(processes),
        "MASKLINE_HTTP_PORT": "0",
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
    }
    root = tmp_path / "root"
    root.mkdir()

    with postgres_proxy(dsn) as line:  # the server's socket lies in a folder that is its own alone
        options["MASKLINE_POSTGRES"] = dsn_through(line, dsn)
        ran = run_sealed(["-m", "maskline.pipeline", "run", "--until_empty"], root, (keyset,), options)

    assert ran.returncode == 0, ran.stderr
    ledger.check(sent)
