"""maskline in environments of other people's: with each extra what it promises, and their own packages stay theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline import __version__
from tests.documents import blocks
from tests.e2e.job_process import PROJECT
from tests.install.environments import THEIRS_ARE_THEIRS, Environment
from tests.pinned import canonical, declared

(TRANSFORMS_BLOCK,) = blocks((PROJECT / "README.md").read_text(), "python")
*_, CORE_BLOCK = blocks((PROJECT / "docs" / "transforms.md").read_text(), "python")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_core_alone(environment: Environment, checkout: Path) -> None:
    environment.install(checkout)

    assert not environment.packages() & {canonical(name) for name in declared("all")}
    assert environment.run("maskline", "--version").stdout.startswith(f"maskline {__version__}\nTink ")
    assert environment.run("maskline", "--help").returncode == 0
    for code in (CORE_BLOCK, THEIRS_ARE_THEIRS):
        result = environment.run_python(code)
        assert result.returncode == 0, result.stderr
    missing = environment.run_python("import maskline.transforms")
    assert missing.stderr.endswith("not installed: pip install 'maskline[beam]'\n")
    for command, extra in (("run", "beam"), ("keys", "cli"), ("publish", "lake"), ("local", "local")):
        result = environment.run("maskline", command)
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert result.stderr.endswith(f"pip install 'maskline[{extra}]'\n")


def test_the_commands_without_beam_and_without_a_lake(environment: Environment, checkout: Path) -> None:
    environment.install(checkout, "[cli]")

    assert not environment.packages() & {"apache-beam", "pyarrow", "deltalake"}
    made = environment.run("maskline", "keys", "create", "--keyset", "file:keyset.json")
    assert made.returncode == 0, made.stderr
    listed = environment.run("maskline", "keys", "list", "--keyset", "file:keyset.json")
    assert listed.returncode == 0, listed.stderr
    nowhere = ("--postgres", "postgresql://nobody@127.0.0.1:1/nothing")
    unreachable = environment.run("maskline", "migrate", *nowhere)
    assert unreachable.returncode == 75
    assert '"event": "postgres: ' in unreachable.stderr
    checked = environment.run(
        *("maskline", "check", *nowhere, "--keyset", "file:keyset.json", "--queue", "q"),
        *("--queue_endpoint", "http://127.0.0.1:1"),
    )
    assert checked.returncode in (2, 75)  # 2 where there are no credentials for the queue
    assert "PROBLEM  postgres: " in checked.stdout
    assert checked.stderr == ""
    for command in (("run",), ("lake", "publish")):
        assert environment.run("maskline", *command).stderr.count("\n") == 1


def test_everything(environment: Environment, checkout: Path) -> None:
    environment.install(checkout, "[all]")

    assert {canonical(name) for name in declared() | declared("all")} <= environment.packages()
    assert "\nApache Beam " in environment.run("maskline", "--version").stdout
    for code in (TRANSFORMS_BLOCK, f"from maskline.transforms import MaskPii\n{THEIRS_ARE_THEIRS}"):
        result = environment.run_python(code)
        assert result.returncode == 0, result.stderr
    missing = environment.run("maskline", "check")
    assert missing.returncode == 2
    assert '"event": "queue, postgres, keyset: missing; give --queue ' in missing.stderr
    assert environment.run("maskline", "run", "--help").returncode == 0
