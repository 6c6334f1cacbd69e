"""A wheel holds each module once under ``maskline``, whatever became of the symbolic links or of an earlier build."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.install.environments import copy_of_checkout

FOLDERS = {"maskline": "maskline", "maskline/transforms": "transforms", "maskline/pipeline": "pipeline"}

PAGE = ("index.html", "page.css", "page.js", "uPlot.LICENSE", "uPlot.iife.min.js", "uPlot.json", "uPlot.min.css")

PROJECT_FILES = ("DOTgitignore", "README.md", "pytest.ini", "run_local.sh", "test_NAME.py")


def build_wheel(checkout: Path, target: Path) -> list[str]:
    """Build a wheel, with the setuptools that is installed, and return the names of the files in it."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", target, checkout], check=True)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        return [name for name in files.namelist() if ".dist-info/" not in name]


@pytest.fixture(scope="module")
def files(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of the wheel of a checkout whose links are whole."""
    return build_wheel(checkout, tmp_path_factory.mktemp("wheel"))


def test_it_has_one_root_and_each_file_once(files: list[str], checkout: Path) -> None:
    expected = {
        *(f"{package}/{file}" for package, folder in FOLDERS.items() for file in sources(checkout / folder)),
        "maskline/py.typed",
        "maskline/streams/user_logins.toml",
        "maskline/streams/user_logins_masked_id.toml",
        *(f"maskline/pipeline/http/static/{name}" for name in PAGE),
        *(f"maskline/drafting/project_files/{name}.template" for name in PROJECT_FILES),
    }

    assert sorted(files) == sorted(expected)
    assert len(expected) > 120


def test_a_clone_whose_links_became_text_builds_the_same(files: list[str], tmp_path: Path) -> None:
    clone = copy_of_checkout(tmp_path / "clone")
    for name in ("transforms", "pipeline"):
        link = clone / "maskline" / name
        target = link.readlink()
        link.unlink()
        link.write_text(str(target))  # as git does with core.symlinks=false

    assert sorted(build_wheel(clone, tmp_path / "wheel")) == sorted(files)


def test_a_copy_in_which_the_links_became_folders_builds_the_same(files: list[str], tmp_path: Path) -> None:
    clone = copy_of_checkout(tmp_path / "clone")
    for name in ("transforms", "pipeline"):
        (clone / "maskline" / name).unlink()
        (clone / name).rename(clone / "moved")
        copy_folder(clone / "moved", clone / "maskline" / name)
        (clone / "moved").rename(clone / name)

    assert sorted(build_wheel(clone, tmp_path / "wheel")) == sorted(files)


def test_what_an_earlier_version_left_in_build_does_not_come_along(files: list[str], tmp_path: Path) -> None:
    clone = copy_of_checkout(tmp_path / "clone")
    for name in ("pipeline/job.py", "transforms/sqs.py", "maskline/gone.py"):
        stale = clone / "build" / "lib" / name
        stale.parent.mkdir(parents=True, exist_ok=True)
        stale.write_text("STALE = True\n")

    assert sorted(build_wheel(clone, tmp_path / "wheel")) == sorted(files)


def sources(folder: Path) -> list[Path]:
    """Return the modules of a folder, from there; links are not followed."""
    walked = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
    return [path.relative_to(folder) for path in walked if path.suffix == ".py"]


def copy_folder(source: Path, target: Path) -> None:
    """Copy the modules of a folder, and the page."""
    page = [Path("http", "static", name) for name in PAGE if (source / "http" / "static" / name).exists()]
    for path in [*sources(source), *page]:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes((source / path).read_bytes())
