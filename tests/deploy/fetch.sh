#!/usr/bin/env bash
# Fetch the tools that hold deploy/ against what it is written for into .cache/deploy-tools, once: Helm, BuildKit's linter of
# Dockerfiles and what reads manifests into Kubernetes' and KEDA's own types, built where Go is; Debian's promtool where apt is; and
# where npm is, the schema of Terraform's provider for AWS, as CDK for Terraform packs it.
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

schema=@cdktf/provider-aws@21.22.1
wanted=$(sed -nE 's/^(resource|data) "aws_(\w+)".*/\1-\2/p' deploy/terraform/*.tf | sed 's/^resource-//; s/^data-/data-aws-/; s/_/-/g' | sort -u)
if [ "$(cat "$tools/provider-aws/fetched" 2>/dev/null)" != "$schema $wanted" ] && command -v npm >/dev/null; then
    echo "Fetching the schema of Terraform's provider for AWS into .cache (37 MB, once)" >&2
    unpacked=$(mktemp -d)
    mapfile -t files < <(sed 's|.*|package/lib/&/index.d.ts|' <<<"$wanted")
    (cd "$unpacked" && npm pack --silent "$schema" >/dev/null && mkdir -p "$tools/provider-aws" &&
        tar --extract --gzip --file ./*.tgz --directory "$tools/provider-aws" --strip-components=2 "${files[@]}" &&
        echo "$schema $wanted" >"$tools/provider-aws/fetched") ||
        echo "The provider's schema could not be fetched; its tests will be skipped" >&2
    rm -rf "$unpacked"
fi
