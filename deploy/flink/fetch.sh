#!/usr/bin/env bash
# Fetch Flink 1.19 into .cache/flink, and build Beam's job server for it where Maven is; quick once they are there.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=.cache/flink
version=1.19.3

if [ ! -f "$cache/fetched-$version" ]; then
    command -v java >/dev/null || { echo "maskline: Flink takes Java 11 or 17, and there is no java" >&2; exit 2; }
    echo "Fetching Flink $version into $cache (about a minute, once)" >&2
    rm -rf "$cache"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target "$cache" \
        "apache-flink==$version" "apache-flink-libraries==$version"
    touch "$cache/fetched-$version"
fi

if [ ! -f "$cache/job-server/job-server.jar" ] && command -v mvn >/dev/null; then
    echo "Building Beam's job server for Flink (about a minute, once)" >&2
    mvn --quiet --batch-mode --file deploy/flink/job-server/pom.xml package \
        "-DjobServerDirectory=$PWD/$cache/job-server" >&2
fi
