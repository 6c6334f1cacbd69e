#!/usr/bin/env bash
# Try maskline on this machine: see README.md. All arguments go to `python -m pipeline local`.
set -euo pipefail
cd "$(dirname "$0")"
lake=()
for argument in "$@"; do
    if [ "$argument" = --lake ]; then lake=(requirements-lake.txt); fi
done
./install.sh "${lake[@]}"
# Else what the first start compiles is compiled anew at each.
unset PYTHONDONTWRITEBYTECODE
exec .venv/bin/python -m pipeline local "$@"
