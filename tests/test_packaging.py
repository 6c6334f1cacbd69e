"""What a remote worker installs by ``--setup_file`` holds all that the job needs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.install.environments import copy_of_checkout
from tests.pinned import METADATA

pytestmark = pytest.mark.heavy


def test_the_source_distribution_holds_code_streams_and_metadata(tmp_path: Path) -> None:
    checkout = copy_of_checkout(tmp_path / "checkout")
    # As Beam makes it: apache_beam.runners.portability.stager.
    egg_base = ["egg_info", f"--egg-base={tmp_path}"]
    subprocess.run(
        [sys.executable, "setup.py", "-q", *egg_base, "sdist", f"--dist-dir={tmp_path}"], cwd=checkout, check=True
    )

    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        files = {name.partition("/")[2]: name for name in packed.getnames()}
        metadata = packed.extractfile(files["PKG-INFO"])
        assert metadata is not None
        required = [line for line in metadata.read().decode().splitlines() if line.startswith("Requires-Dist: ")]

    assert files.keys() >= {
        "LICENSE",
        "constraints.txt",
        "pyproject.toml",
        "maskline/streams/user_logins.toml",
        "maskline/postgres/migrations/env.py",
        "maskline/keys/providers.py",
        "transforms/mask.py",
        "pipeline/job.py",
    }
    assert not any(name.startswith(("tests/", "maskline/transforms/", "maskline/pipeline/")) for name in files)
    # A worker has Beam; pip gives it the rest of what the job needs, and nothing of what an extra brings.
    assert len([line for line in required if "extra ==" not in line]) == len(METADATA["dependencies"])
