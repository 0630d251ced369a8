#!/usr/bin/env bash
# Runs every benchmark; each prints its table and the ratio it is about.
set -euo pipefail
cd "$(dirname "$0")/.."
for script in benchmarks/*.py; do
    echo "== $script"
    PYTHONPATH=. .venv/bin/python "$script"
done
