"""What the image's Dockerfile says, by Docker's own linter, and what a builder is sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.tools_built import DEPLOY, run_tool, takes
from tests.e2e.job_process import PROJECT
from tests.pinned import pins

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
IGNORED = (PROJECT / ".dockerignore").read_text().splitlines()


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
    assert stages == [("${PYTHON}", "build"), ("${PYTHON}", "")]


def test_it_runs_as_a_user_who_is_a_number_and_is_not_root() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]

    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["9999:9999"]
    assert re.findall(r"^VOLUME (.+)$", last, re.MULTILINE) == ["/tmp"]
    assert "pip" not in last


def test_nothing_is_installed_but_by_hashes() -> None:
    for line in re.findall(r"pip\S* .*?\binstall\b.*", DOCKERFILE):
        assert "--require-hashes" in line or "--no-deps /wheels" in line, line
    assert pins(DEPLOY / "build.lock")["cyclonedx-bom"] == pins()["cyclonedx-bom"]
    assert "--no-build-isolation" in DOCKERFILE


def test_a_builder_is_sent_what_is_copied_and_nothing_else() -> None:
    copied = set()
    for dockerfile in (DOCKERFILE, (DEPLOY / "flink" / "kubernetes" / "Dockerfile").read_text()):
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
            copied.update(line.split())

    assert IGNORED[2] == "*"
    assert {line[1:] for line in IGNORED if line.startswith("!")} == copied
    assert all((PROJECT / path).exists() for path in copied)
