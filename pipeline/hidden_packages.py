"""Importing a library without optional packages that it would import as well."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Collection, Iterator
from importlib.machinery import ModuleSpec

UNUSED_BY_A_JOB = ("pandas", "pyarrow")
"""The packages that Beam imports where it finds them, for data frames and Parquet files, and that a job does not use.

pyarrow, which is installed with Beam, costs a job 33 MB of memory and a fifteenth of the CPU of its start; pandas costs
twice that, where it is installed.
"""

UNUSED_IN_PROCESS = (
    *UNUSED_BY_A_JOB,
    "absl",
    "apache_beam.io.gcp.bigquery",
    "azure",
    "boto3",
    "bson",
    "google.api_core",
    "google.cloud",
    "requests",
)
"""The packages that a job does not use, either, where it runs in the process that starts it.

With them Beam would bring what reads and writes their services' data, and what submits jobs to Dataflow: together 0.2 s
of CPU, where all of them are installed. bson, which is MongoDB's, and Beam's own part for BigQuery, which brings those
for Pub/Sub and Cloud Storage, come with Beam itself. Providers of keys import what they need of them when they need it.
AWS the job asks by botocore, which boto3 stands on.
"""


@contextlib.contextmanager
def hidden_packages(names: Collection[str]) -> Iterator[None]:
    """Hide packages while the block imports something that would import them: they look as if not installed.

    What was imported before stays, and what is imported afterwards, or by another thread, is found.

    Args:
        names: The packages.
    """
    finder = _Hiding(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Hiding:
    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None
