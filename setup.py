"""Packages the job, so that a remote worker gets all it needs by ``--setup_file=./setup.py``.

requirements.txt is the one place where their versions stand; a worker needs those of its first section.
"""

from pathlib import Path

from setuptools import find_packages, setup

WORKER_REQUIREMENTS = ("apache-beam", "boto3", "msgspec", "psycopg2-binary", "pycurl", "tenacity", "tink")


def pinned(names: tuple[str, ...]) -> list[str]:
    """Return the lines of requirements.txt that pin these packages.

    Args:
        names: The packages, without extras.
    """
    lines = Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.partition("==")[0].partition("[")[0] in names]


setup(
    name="maskline",
    version="0.1.0",
    description="Mask personal data deterministically and reversibly on its way from SQS to Postgres, on Apache Beam",
    python_requires=">=3.11",
    packages=find_packages(include=["maskline*", "transforms*", "pipeline*"]),
    package_data={"maskline.streams": ["*.toml"]},
    install_requires=pinned(WORKER_REQUIREMENTS),
)
