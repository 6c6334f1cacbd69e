#!/usr/bin/env bash
# Install what the tests need, then lint, type-check and test: see README.md. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")"
./install.sh tests/requirements.txt
PATH="$PWD/.venv/bin:$PATH"

prism=.cache/prism/prism
if [ ! -x "$prism" ] && [ -z "${PRISM_LOCATION:-}" ]; then
    if command -v go >/dev/null; then
        echo "Building Prism into .cache (about two minutes, once)" >&2
        beam=$(sed -n 's/^apache-beam==//p' constraints.txt)
        GOBIN="$PWD/.cache/prism" GOFLAGS=-mod=mod go install "github.com/apache/beam/sdks/v2/go/cmd/prism@v$beam" ||
            echo "Prism could not be built; its tests will be skipped" >&2
    else
        echo "Go is not installed, so Prism is not built; its tests will be skipped" >&2
    fi
fi

tests/faults/fetch.sh
tests/flink/fetch.sh
tests/deploy/fetch.sh
ruff check --quiet .
ruff format --check --quiet .
mypy
# Else every process compiles our modules and rewrites all tests anew, which takes it ten seconds.
unset PYTHONDONTWRITEBYTECODE
# More processes than cores: the tests wait for half of their time. Longest first, as tests/distribution.py says.
pytest --numprocesses=4 --dist=loadfile --no-loadscope-reorder "$@"
