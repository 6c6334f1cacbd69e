#!/usr/bin/env bash
# Fetch the schemas of Kubernetes and of the Flink Kubernetes Operator into .cache, once, and only where Maven is.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ ! -d .cache/kubernetes-schemas ] && command -v mvn >/dev/null; then
    mvn --quiet --batch-mode -Dstyle.color=never --file tests/flink/pom.xml dependency:copy-dependencies \
        -DexcludeTransitive=true -DoutputDirectory="$PWD/.cache/kubernetes-schemas.new" &&
        mv .cache/kubernetes-schemas.new .cache/kubernetes-schemas ||
        echo "The schemas of Kubernetes could not be fetched; their test will be skipped" >&2
fi
