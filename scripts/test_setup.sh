#!/usr/bin/env bash
# Installs what the tests need beyond the virtual environment, where it can: TimescaleDB, for the store's second server.
set -euo pipefail
cd "$(dirname "$0")/.."
if scripts/timescaledb_cluster.sh available; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    scripts/install_timescaledb.sh
else
    echo "test_setup: TimescaleDB is not installed; the store is tested on the embedded server only (as root: scripts/install_timescaledb.sh)" >&2
fi
