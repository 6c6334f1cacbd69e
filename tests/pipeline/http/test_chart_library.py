"""The chart library in the package is the one that npm has, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT

STATIC = PROJECT / "pipeline" / "http" / "static"
RECORD = json.loads((STATIC / "uPlot.json").read_text())


def test_its_files_are_those_that_were_recorded() -> None:
    found = {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in RECORD["files"]}

    assert found == RECORD["sha256"]
    assert (STATIC / "uPlot.LICENSE").read_text().startswith("The MIT License")


@pytest.mark.heavy
def test_its_files_are_those_of_the_package_with_the_recorded_hash(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not there")
    package = f"{RECORD['package']}@{RECORD['version']}"
    packed = subprocess.run([npm, "pack", "--silent", package], cwd=tmp_path, capture_output=True, timeout=120)
    if packed.returncode != 0:
        pytest.skip("npm's registry cannot be reached")
    (archive,) = tmp_path.glob("*.tgz")

    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert RECORD["integrity"] == f"sha512-{digest}"
    with tarfile.open(archive) as files:
        for name, place in RECORD["files"].items():
            member = files.extractfile(f"package/{place}")
            assert member is not None
            assert member.read() == (STATIC / name).read_bytes()
