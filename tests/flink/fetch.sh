#!/usr/bin/env bash
# Fetch Flink and Beam's job server for it into .cache, and the schemas of Kubernetes and of the Flink Kubernetes Operator;
# each once, and only where Java and Maven are.
set -euo pipefail
cd "$(dirname "$0")/../.."

if command -v java >/dev/null; then
    deploy/flink/fetch.sh || echo "Flink could not be fetched; its tests will be skipped" >&2
fi

if [ ! -d .cache/kubernetes-schemas ] && command -v mvn >/dev/null; then
    mvn --quiet --batch-mode -Dstyle.color=never --file tests/flink/pom.xml dependency:copy-dependencies \
        -DexcludeTransitive=true -DoutputDirectory="$PWD/.cache/kubernetes-schemas.new" &&
        mv .cache/kubernetes-schemas.new .cache/kubernetes-schemas ||
        echo "The schemas of Kubernetes could not be fetched; their test will be skipped" >&2
fi
