#!/usr/bin/env bash
# Make .venv and install the project into it, with requirements.txt and other files of requirements where they are named;
# quick when nothing changed since the last time. All versions are those of constraints.txt.
set -euo pipefail
cd "$(dirname "$0")"

if [ ! -x .venv/bin/python ]; then
    for python in ${PYTHON:-python3.11 python3}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "Installing into .venv (about half a minute, once)" >&2
            "$python" -m venv .venv
            # Python's own pip takes twice as long; where there is no newer one to be had, it does as well.
            .venv/bin/python -m pip install --quiet --upgrade --constraint constraints.txt pip >&2 || true
            break
        fi
    done
fi
[ -x .venv/bin/python ] || { echo "maskline: Python 3.11 is needed; set PYTHON to where it is" >&2; exit 2; }

# What pip is at, in one line that is written over; nothing where nobody reads it.
show_progress() {
    while read -r line; do
        if [ -t 2 ]; then printf '\r\033[K%.78s' "$line" >&2; fi
    done
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

for requirements in requirements.txt "$@"; do
    marker=".venv/installed.${requirements//\//.}"
    # The folder, too: what is installed leads to it, and a moved one has to be installed again.
    wanted=$({ pwd; cat "$requirements" constraints.txt pyproject.toml setup.py; } | cksum)
    if [ "$(cat "$marker" 2>/dev/null)" != "$wanted" ]; then
        # --no-compile: most modules of these packages are never imported, and Python compiles the others when they are.
        # Warnings: setuptools says at length what an editable installation is.
        PYTHONWARNINGS=ignore .venv/bin/python -m pip install --no-compile --progress-bar=off \
            --disable-pip-version-check -r "$requirements" | show_progress
        echo "$wanted" > "$marker"
    fi
done
