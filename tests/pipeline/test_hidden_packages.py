"""A job's process holds nothing of what Beam brings for other work."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from maskline.pipeline.commands import run as run_command
from maskline.pipeline.hidden_packages import UNUSED_BY_A_JOB, UNUSED_IN_PROCESS, hidden_packages

NAMED = SimpleNamespace(name="logins")
JOB_WITHOUT_A_KEYSET = """
import sys
from maskline.pipeline.cli import main
exit_code = main(["run", "--queue=logins", "--postgres=postgresql://127.0.0.1:1/none", "--keyset=file:none.json"])
unused = {"pandas", "pyarrow", "absl", "apache_beam.io.gcp.bigquery", "azure", "boto3", "bson", "google.api_core"}
unused |= {"google.cloud", "pymongo", "requests", "beartype", "grpc.aio", "pyparsing", "yaml"}
print(exit_code, sorted(({"apache_beam"} | unused) & sys.modules.keys()))
"""


def test_a_hidden_package_is_missing_for_as_long_as_it_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maskline_large.py").write_text("SIZE = 33\n")
    monkeypatch.syspath_prepend(tmp_path)

    with hidden_packages(["maskline_large"]), pytest.raises(ModuleNotFoundError) as missing:
        importlib.import_module("maskline_large")

    assert missing.value.name == "maskline_large"
    assert importlib.import_module("maskline_large").SIZE == 33


def test_another_thread_finds_a_package_that_is_hidden_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "maskline_of_a_thread.py").write_text("SIZE = 33\n")
    monkeypatch.syspath_prepend(tmp_path)

    with hidden_packages(["maskline_of_a_thread"]), ThreadPoolExecutor(1) as threads:
        found = threads.submit(importlib.import_module, "maskline_of_a_thread").result(30)

    assert found.SIZE == 33


@pytest.mark.parametrize(
    ("arguments", "hidden"),
    [([], UNUSED_IN_PROCESS), (["--runner=DataflowRunner"], UNUSED_BY_A_JOB), (["--runner", "x"], UNUSED_BY_A_JOB)],
)
def test_a_runner_that_was_named_finds_the_clients_of_its_services(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], hidden: tuple[str, ...]
) -> None:
    asked: list[object] = []
    deferring: list[bool] = []

    def hiding(names: tuple[str, ...]) -> contextlib.AbstractContextManager[None]:
        asked.append(names)
        return contextlib.nullcontext()

    def defers() -> contextlib.AbstractContextManager[None]:
        deferring.append(True)
        return contextlib.nullcontext()

    monkeypatch.setattr(run_command, "deferred_packages", defers)
    monkeypatch.setattr(run_command, "hidden_packages", hiding)
    monkeypatch.setitem(sys.modules, "maskline.pipeline.running", SimpleNamespace(run=lambda *_: 0))

    monkeypatch.setattr(run_command, "job_settings", lambda _: SimpleNamespace(stream=NAMED, queue=NAMED))
    monkeypatch.setattr(run_command, "name_run_in_logs", lambda *_: None)

    run_command.main(argparse.Namespace(processes=2), arguments)

    assert asked == [hidden]
    assert bool(deferring) == (hidden is UNUSED_IN_PROCESS)


@pytest.mark.slow
def test_a_job_imports_beam_and_none_of_the_packages_that_it_does_not_use() -> None:
    command = [sys.executable, "-c", JOB_WITHOUT_A_KEYSET]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert printed == "2 ['apache_beam']\n"
