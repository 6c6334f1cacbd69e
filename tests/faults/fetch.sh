#!/usr/bin/env bash
# Fetch what tests need and no wheel has: ElasticMQ and PgBouncer into .cache, and Chromium with its driver as packages of
# the machine, as root alone; each once, and only where its package manager is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

benchmarks/servers/fetch_elasticmq.sh || echo "ElasticMQ could not be fetched; its tests will be skipped" >&2

if [ ! -d .cache/pgbouncer ] && ! command -v pgbouncer >/dev/null && command -v apt-get >/dev/null; then
    mkdir -p .cache/pgbouncer.new
    (
        cd .cache/pgbouncer.new
        [ "$(id -u)" != 0 ] || apt-get -qq update
        apt-get -qq -o APT::Sandbox::User=root download pgbouncer libevent-2.1-7 libc-ares2
        for package in ./*.deb; do dpkg --extract "$package" .; done
    ) >&2 && mv .cache/pgbouncer.new .cache/pgbouncer ||
        echo "PgBouncer could not be fetched; its test will be skipped" >&2
fi

if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        { apt-get -qq update && apt-get -qq install --no-install-recommends chromium chromium-driver; } >&2 ||
            echo "Chromium could not be installed; its tests will be skipped" >&2
    else
        echo "There is no chromium with chromium-driver, from your package manager; its tests will be skipped" >&2
    fi
fi
