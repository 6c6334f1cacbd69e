#!/bin/sh
# Start a worker outside a container, by Beam's own start program and in a directory of its own: for the environment type
# PROCESS, and for a pool (--container_executable). Two variables say where things are:
#   WORKER_BOOT    Beam's start program
#   WORKER_PYTHON  the bin directory of an environment with Beam, into which the package of --setup_file is installed, too
set -eu
directory=$(mktemp -d "${TMPDIR:-/tmp}/beam-worker.XXXXXX")
cd "$directory"
export PATH="$WORKER_PYTHON:$PATH" RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
exec "$WORKER_BOOT" --semi_persist_dir="$directory" "$@"
