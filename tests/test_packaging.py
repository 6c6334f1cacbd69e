"""What a remote worker installs by ``--setup_file`` holds all that the job needs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

from tests.e2e.job_process import PROJECT


def test_the_source_distribution_holds_code_streams_and_requirements(tmp_path: Path) -> None:
    # As Beam makes it: apache_beam.runners.portability.stager.
    egg_base = ["egg_info", f"--egg-base={tmp_path}"]
    subprocess.run(
        [sys.executable, "setup.py", "-q", *egg_base, "sdist", f"--dist-dir={tmp_path}"], cwd=PROJECT, check=True
    )

    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        files = {name.partition("/")[2] for name in packed.getnames()}

    assert files >= {
        "requirements.txt",
        "maskline/streams/user_logins.toml",
        "maskline/postgres/migrations/env.py",
        "maskline/keys/providers.py",
        "transforms/sqs.py",
        "pipeline/job.py",
    }
    assert not any(name.startswith("tests/") for name in files)
