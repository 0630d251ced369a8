#!/usr/bin/env bash
# Installs what the tests need beyond the virtual environment, where it can: TimescaleDB, for the store's second server, and
# Docker Compose, which judges compose.yaml (no Docker is needed for that).
set -euo pipefail
cd "$(dirname "$0")/.."

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
has_compose() { docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; }

if ! scripts/timescaledb_cluster.sh available; then
    if can_install; then
        scripts/install_timescaledb.sh
    else
        echo "test_setup: TimescaleDB is not installed; the store is tested on the embedded server only (as root: scripts/install_timescaledb.sh)" >&2
    fi
fi
if ! has_compose && can_install; then
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends docker-compose >/dev/null ||
        echo "test_setup: apt offers no docker-compose; of compose.yaml only the structure is tested" >&2
fi
