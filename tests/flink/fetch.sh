#!/usr/bin/env bash
# Fetch what the tests on Flink need into .cache, once: Flink, Beam's job server for it, and the schemas of Kubernetes and of
# the Flink Kubernetes Operator where Java and Maven are; Beam's start program where Go is, and an environment with Beam alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
beam=$(sed -n 's/^apache-beam==//p' constraints.txt)
worker=.cache/beam-worker-$beam

if command -v java >/dev/null; then
    deploy/flink/fetch.sh || echo "Flink could not be fetched; its tests will be skipped" >&2
fi

if ! compgen -G ".cache/kubernetes-schemas/kubernetes-model-policy-*.jar" >/dev/null && command -v mvn >/dev/null; then
    rm -rf .cache/kubernetes-schemas
    mvn --quiet --batch-mode -Dstyle.color=never --file tests/flink/pom.xml dependency:copy-dependencies \
        -DexcludeTransitive=true -DoutputDirectory="$PWD/.cache/kubernetes-schemas.new" &&
        mv .cache/kubernetes-schemas.new .cache/kubernetes-schemas ||
        echo "The schemas of Kubernetes could not be fetched; their test will be skipped" >&2
fi

if [ ! -x "$worker/container" ]; then
    if command -v go >/dev/null; then
        echo "Building Beam's start program into .cache (about a minute, once)" >&2
        GOBIN="$PWD/$worker" GOFLAGS=-mod=mod go install "github.com/apache/beam/sdks/v2/python/container@v$beam" ||
            echo "Beam's start program could not be built; its tests will be skipped" >&2
    else
        echo "Go is not installed, so Beam's start program is not built; its tests will be skipped" >&2
    fi
fi

if [ -x "$worker/container" ] && [ ! -d "$worker/python" ]; then
    echo "Installing Beam alone into .cache (about a minute, once)" >&2
    rm -rf "$worker/python.new"
    .venv/bin/python -m venv "$worker/python.new"
    "$worker/python.new/bin/python" -m pip install --quiet --disable-pip-version-check "apache-beam==$beam" &&
        mv "$worker/python.new" "$worker/python" ||
        echo "Beam could not be installed; its tests will be skipped" >&2
fi
