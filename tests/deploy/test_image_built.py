"""The image, built and run: it has all it needs, its user and file system are enough, and nothing else is in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline._version import __version__
from maskline.sqs import QueueAddress, SqsQueue
from tests.deploy.built_image import READABLE, BuiltImage, takes_image
from tests.e2e.conftest import Ledger, login
from tests.e2e.job_process import PROJECT
from tests.faults.postgres_wire import dsn_through, postgres_proxy
from tests.pinned import LOCKS, canonical

pytestmark = [takes_image, pytest.mark.slow, pytest.mark.timeout(900)]  # the first test builds the image

SITE_PACKAGES = "opt/maskline/lib/python3.11/site-packages"
PIN = re.compile(r"^([\w.-]+)==([\w.+!]+)", re.MULTILINE)
DECOY = "a secret that lies beside the sources"
HELP_OF_EVERY_COMMAND = """
import contextlib, io, re
from maskline.pipeline.cli import COMMANDS, main

def shown(*command):
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return text.getvalue()

for name in sorted(COMMANDS.keys() - {"local", "flink"}):  # the demonstrations take other extras
    text = shown(name)
    assert "usage:" in text, name
    actions = re.findall(r"^    (\\w[\\w-]+)\\s", text.partition("ACTION\\n")[2].partition("options:")[0], re.MULTILINE)
    for action in actions:
        assert "usage:" in shown(name, action), (name, action)
    print(name, *actions)
"""
TRESPASSING = """
import os
for place in ("/", "/usr", "/etc", "/opt/maskline", "/dev"):
    try:
        open(f"{place}/written", "w")
        print("wrote in", place)
    except OSError as error:
        print(place, error.strerror)
open("/tmp/written", "w")
print(os.getuid(), [line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd"))])
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltImage]:
    """The image of a checkout in which things lie about that must not get into it."""
    context = tmp_path_factory.mktemp("context")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).exists():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, context / name, follow_symlinks=False)
    for name in (
        "keyset.json",
        ".env",
        ".git/config",
        ".cache/dump.sql",
        "deploy/password",
        "maskline/__pycache__/old.pyc",
    ):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(DECOY)
    built = BuiltImage(context, tmp_path_factory.mktemp("buildah"))
    yield built
    built.remove()


@pytest.fixture
def job_folder(keyset_uri: str, tmp_path: Path) -> Path:
    """A folder with the test's own keyset, which the image's user may read."""
    folder = tmp_path / "readable"
    folder.mkdir()
    shutil.copy(keyset_uri.partition(":")[2], folder / "keyset.json")
    (folder / "keyset.json").chmod(0o400)
    os.chown(folder / "keyset.json", 9999, 9999)
    return folder


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_command_starts_in_a_file_system_that_is_read_only(image: BuiltImage) -> None:
    tried = image.run("-c", TRESPASSING, entrypoint=["python"])
    helped = image.run("-c", HELP_OF_EVERY_COMMAND, entrypoint=["python"])

    assert tried.stdout.splitlines() == [
        "/ Read-only file system",
        "/usr Read-only file system",
        "/etc Read-only file system",
        "/opt/maskline Read-only file system",
        "/dev Read-only file system",
        "9999 ['0000000000000000', '0000000000000000']",
    ], tried.stderr
    assert helped.returncode == 0, helped.stderr
    assert "keys create" in helped.stdout
    assert "\nrun\n" in helped.stdout


def test_without_a_command_it_says_what_there_is(image: BuiltImage) -> None:
    helped = image.run(*image.config["Cmd"])

    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.startswith("usage: maskline ")


def test_a_job_is_prepared_checked_and_run_by_it(
    image: BuiltImage,
    job_folder: Path,
    queue: SqsQueue,
    queue_address: QueueAddress,
    dsn: str,
    ledger: Ledger,
) -> None:
    sent = queue.send([login(1), login(2), "not JSON"])
    options = {
        "MASKLINE_QUEUE": queue_address.queue,
        "MASKLINE_QUEUE_ENDPOINT": str(queue_address.endpoint),
        "MASKLINE_KEYSET": f"file:{READABLE}/keyset.json",
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
    }

    with postgres_proxy(dsn) as line:  # the server's socket lies in a folder that is its own alone
        options["MASKLINE_POSTGRES"] = dsn_through(line, dsn)
        migrated = image.run("migrate", environment=options)
        listed = image.run("keys", "list", readable=job_folder, environment=options)
        checked = image.run("check", readable=job_folder, environment=options)
        options |= {"MASKLINE_PROCESSES": "2", "MASKLINE_HTTP_PORT": "0"}
        ran = image.run("run", "--until_empty", readable=job_folder, environment=options)

    for done in (migrated, listed, checked, ran):
        assert done.returncode == 0, (done.args[-2:], done.stdout, done.stderr)
    ledger.check(sent)


def test_nothing_is_in_it_that_only_its_building_took(image: BuiltImage) -> None:
    tools = ("pip", "uv", "cyclonedx-py", "cc", "gcc", "g++", "clang", "ld", "make", "git", "curl", "wget")
    found = [
        str(path)
        for tool in tools
        for folder in ("opt/maskline", "usr")
        for path in image.root.glob(f"{folder}/bin/{tool}")
    ]

    assert names_in(image.root / "opt") == {"maskline"}
    assert found == []
    assert {"pip", "setuptools", "wheel"}.isdisjoint(names_in(image.root / SITE_PACKAGES))
    assert names_in(image.root / "tmp") == set()
    assert not (image.root / "source").exists()
    assert not (image.root / "root/.cache").exists()


def test_what_lies_beside_the_sources_is_not_in_it(image: BuiltImage) -> None:
    found = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--binary-files=text", "--fixed-strings", DECOY]
        + [str(image.root / folder) for folder in ("opt", "usr/share/doc/maskline", "etc", "root", "var")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, found.stdout) == (1, "")
    assert sorted(line.partition("=")[0] for line in image.config["Env"]) == [
        "HOME",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
    ]


def test_the_list_of_packages_names_each_with_its_version_and_no_other(image: BuiltImage) -> None:
    listed = json.loads((image.root / "usr/share/doc/maskline/sbom.cdx.json").read_text())

    versions = {(canonical(component["name"]), component["version"]) for component in listed["components"]}
    locked = {(canonical(name), version) for name, version in PIN.findall(LOCKS[0].read_text(encoding="utf-8"))}
    assert listed["bomFormat"] == "CycloneDX"
    assert {"apache-beam", "boto3", "tink"} <= {name for name, _ in versions}
    assert versions - locked == {("maskline", __version__)}
