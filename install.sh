#!/usr/bin/env bash
# Make .venv and install requirements.txt and the project into it; quick when nothing changed since the last time.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3.11}
command -v "$python" >/dev/null || { echo "maskline: Python 3.11 is needed; set PYTHON to where it is" >&2; exit 2; }
wanted=$(cat requirements.txt setup.py | cksum)
if [ "$(cat .venv/installed 2>/dev/null)" != "$wanted" ]; then
    echo "Installing into .venv (about a minute, once)" >&2
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
    echo "$wanted" > .venv/installed
fi
