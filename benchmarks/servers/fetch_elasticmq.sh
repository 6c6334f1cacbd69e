#!/usr/bin/env bash
# Fetch ElasticMQ, an SQS API in Java that the benchmarks and the fault suite use, into .cache; once.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ ! -d .cache/elasticmq ] || exit 0
command -v mvn >/dev/null || { echo "Maven is not installed, so ElasticMQ cannot be fetched" >&2; exit 2; }
mvn --quiet --batch-mode -Dstyle.color=never --file benchmarks/servers/pom.xml dependency:copy-dependencies \
    -DoutputDirectory="$PWD/.cache/elasticmq.new"
mv .cache/elasticmq.new .cache/elasticmq
