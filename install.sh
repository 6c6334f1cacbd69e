#!/usr/bin/env bash
# Make .venv and install requirements.txt and the project into it; quick when nothing changed since the last time.
set -euo pipefail
cd "$(dirname "$0")"

wanted=$(cat requirements.txt setup.py | cksum)
if [ "$(cat .venv/installed 2>/dev/null)" = "$wanted" ]; then
    exit
fi

if [ ! -x .venv/bin/python ]; then
    for python in ${PYTHON:-python3.11 python3}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "Installing into .venv (about a minute, once)" >&2
            "$python" -m venv .venv
            break
        fi
    done
fi
[ -x .venv/bin/python ] || { echo "maskline: Python 3.11 is needed; set PYTHON to where it is" >&2; exit 2; }
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
echo "$wanted" > .venv/installed
