#!/usr/bin/env bash
# Try maskline on a Flink cluster on this machine: see README.md. All arguments go to `python -m pipeline flink`.
set -euo pipefail
cd "$(dirname "$0")"
./install.sh
unset PYTHONDONTWRITEBYTECODE # as in run_local.sh
deploy/flink/fetch.sh
flink=.cache/flink
jar=()
if [ -f "$flink/job-server/job-server.jar" ]; then
    jar=(--flink_job_server_jar "$flink/job-server/job-server.jar")
fi
exec .venv/bin/python -m pipeline flink --flink_home "$flink/pyflink" "${jar[@]}" "$@"
