#!/usr/bin/env bash
# Writes deploy/wheels.txt anew: every file that the droplet may install, by its hash.  usage: lock_wheels.sh; needs uv
set -euo pipefail
cd "$(dirname "$0")/.."
index=$("${PYTHON:-python3}" -m pip config get global.index-url 2>/dev/null || true)
{
    echo "# What a release needs on the droplet, by hash; written by scripts/lock_wheels.sh from constraints.txt."
    uv pip compile ${index:+--index-url "$index"} --system-certs --quiet --universal --generate-hashes --no-emit-index-url \
        --no-header --no-annotate --python-version 3.11 --extra alerts --constraint constraints.txt pyproject.toml
} >deploy/wheels.new
mv deploy/wheels.new deploy/wheels.txt
