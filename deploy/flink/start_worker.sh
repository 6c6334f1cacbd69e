#!/bin/sh
# Start a worker outside a container, by Beam's own start program and in a directory of its own: for the environment type
# PROCESS, and for a pool (--container_executable). Two variables say where things are:
#   BEAM_BOOT    Beam's start program
#   BEAM_PYTHON  the bin directory of an environment that Beam is installed in; what --setup_file staged is, too
set -eu
directory=$(mktemp -d "${TMPDIR:-/tmp}/beam-worker.XXXXXX")
cd "$directory"
export PATH="$BEAM_PYTHON:$PATH" RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
exec "$BEAM_BOOT" --semi_persist_dir="$directory" "$@"
