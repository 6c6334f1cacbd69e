#!/usr/bin/env bash
# Try maskline on this machine: see README.md. All arguments go to `python -m pipeline local`.
set -euo pipefail
cd "$(dirname "$0")"
./install.sh
exec .venv/bin/python -m pipeline local "$@"
