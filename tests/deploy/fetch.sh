#!/usr/bin/env bash
# Fetch what holds deploy/ against what it is written for into .cache/deploy-tools, once: Helm and BuildKit's linter of
# Dockerfiles, built where Go is; Debian's promtool where apt is; and where npm is, the types of KEDA and the schema of
# Terraform's provider for AWS, as CDK for Terraform packs it.
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

# What of an npm package a test reads: its name and version, where to, how many folders to leave out, and which files.
fetch_from_npm() {
    local package=$1 folder=$tools/$2 strip=$3 unpacked
    shift 3
    if [ "$(cat "$folder/fetched" 2>/dev/null)" = "$package $*" ] || ! command -v npm >/dev/null; then return; fi
    echo "Fetching $package into .cache (once)" >&2
    unpacked=$(mktemp -d)
    (cd "$unpacked" && npm pack --silent "$package" >/dev/null && mkdir -p "$folder" &&
        tar --extract --gzip --file ./*.tgz --directory "$folder" --strip-components="$strip" --wildcards "$@" &&
        echo "$package $*" >"$folder/fetched") || echo "$package could not be fetched; its tests will be skipped" >&2
    rm -rf "$unpacked"
}

mapfile -t kinds < <(sed -nE 's/^(resource|data) "aws_(\w+)".*/\1-\2/p' deploy/terraform/*.tf |
    sed 's/^resource-//; s/^data-/data-aws-/; s/_/-/g; s|.*|package/lib/&/index.d.ts|' | sort -u)
fetch_from_npm @cdktf/provider-aws@21.22.1 provider-aws 2 "${kinds[@]}"
fetch_from_npm @kubernetes-models/keda@2.0.0 keda 2 'package/keda.sh/*.d.ts'

# What the image is built of where it is tested: Debian's bookworm with its own Python 3.11 in the place of the base that
# the Dockerfile names, and the packages of the lock files.
image=$tools/image
if [ "$(id -u)" = 0 ] && command -v buildah >/dev/null && command -v mmdebstrap >/dev/null; then
    mkdir -p "$image"
    if [ ! -f "$image/base.tar" ]; then
        echo "Making the image's base in .cache (half a minute, once)" >&2
        { mmdebstrap --quiet --variant=minbase --include=ca-certificates,python-is-python3,python3-venv \
            bookworm "$image/unfinished.tar" && mv "$image/unfinished.tar" "$image/base.tar"; } ||
            echo "The image's base could not be made; its tests will be skipped" >&2
    fi
    locks=$(cat requirements.lock deploy/build.lock | cksum)
    if [ "$(cat "$image/wheels.locks" 2>/dev/null)" != "$locks" ]; then
        echo "Fetching the image's packages into .cache (half a minute, once)" >&2
        rm -rf "$image/wheels"
        for lock in requirements.lock deploy/build.lock; do
            python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
                --requirement "$lock" --dest "$image/unfinished" || break
        done && mv "$image/unfinished" "$image/wheels" && echo "$locks" >"$image/wheels.locks" ||
            echo "The image's packages could not be fetched; its tests will be skipped" >&2
    fi
fi
