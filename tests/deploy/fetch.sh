#!/usr/bin/env bash
# Fetch the tools that hold deploy/ against what it is written for into .cache/deploy-tools, once: Helm, BuildKit's linter of
# Dockerfiles and what reads manifests into Kubernetes' and KEDA's own types, built where Go is; Debian's promtool where apt is.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.cache/deploy-tools
mkdir -p "$tools"

for module in tests/deploy/tools/*/; do
    name=$(basename "$module")
    sources=$(cat "$module"* | cksum)
    [ "$(cat "$tools/$name.sources" 2>/dev/null)" != "$sources" ] || continue
    if ! command -v go >/dev/null; then
        echo "Go is not installed, so $name is not built; its tests will be skipped" >&2
    elif echo "Building $name into .cache (a minute, once)" >&2 &&
        (cd "$module" && go build -trimpath -ldflags=-s -o "$tools/$name" "$(cat package 2>/dev/null || echo .)"); then
        echo "$sources" >"$tools/$name.sources"
    else
        echo "$name could not be built; its tests will be skipped" >&2
    fi
done

# Built from Go's modules it takes ten minutes: it brings the clients of every cloud.
if [ ! -x "$tools/promtool" ] && command -v apt-get dpkg-deb >/dev/null; then
    unpacked=$(mktemp -d)
    (cd "$unpacked" && apt-get --quiet --quiet download prometheus 2>/dev/null && dpkg-deb --fsys-tarfile prometheus_*.deb |
        tar --extract ./usr/bin/promtool && mv usr/bin/promtool "$tools/promtool") ||
        echo "Prometheus' package could not be had (apt-get update first); promtool's tests will be skipped" >&2
    rm -rf "$unpacked"
fi
