#!/usr/bin/env bash
# Make the lock files of production anew, from pyproject.toml and the pins of constraints.txt: every package, with hashes.
#   requirements.lock         all that runs a job and its commands: maskline[beam,cli,lake]
#   requirements-worker.lock  all that --setup_file needs where Beam is, for --requirements_file: docs/installing.md
#   deploy/build.lock         what builds the package for the image and lists what is in it, and is not in it itself
# What is in them already stays at its version, as far as the pins allow; to have the newest, remove them first.
set -euo pipefail
cd "$(dirname "$0")"
uv=${UV:-.venv/bin/uv}

lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        --no-emit-find-links --constraint constraints.txt "$@"
}

lock --extra beam --extra cli --extra lake --output-file requirements.lock pyproject.toml
lock --constraint requirements.lock --output-file requirements-worker.lock pyproject.toml
printf '%s\n' 'setuptools>=77' cyclonedx-bom | lock --output-file deploy/build.lock -
