"""Builds one package, ``maskline``, out of the three folders of the checkout; pyproject.toml says all else of it.

``maskline/transforms`` and ``maskline/pipeline`` are symbolic links, so that a checkout can be imported as it stands. A
build reads the folders that they lead to, each file once, whether the links survived a copy or not.
"""

import shutil

from setuptools import find_packages, setup
from setuptools.command.build import build

FOLDERS = {"maskline.transforms": "transforms", "maskline.pipeline": "pipeline"}


class CleanBuild(build):
    """Starts from nothing: setuptools packs whatever an earlier build left in its folder."""

    def run(self) -> None:
        """Build."""
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(
    packages=[
        *find_packages(include=["maskline*"], exclude=[f"{package}*" for package in FOLDERS]),
        *FOLDERS,
        *(f"{package}.{name}" for package, folder in FOLDERS.items() for name in find_packages(folder)),
    ],
    package_dir={**FOLDERS},
    cmdclass={"build": CleanBuild},
)
