#!/usr/bin/env bash
# What the TESTS need beyond the virtual environment (what the product needs is in README.md): installed where that is
# possible, else named with the command that installs it.
#   rsync, ssh-keygen   the copies of backups, signed bundles
#   TimescaleDB         the store's second server
#   promtool            tries the alert rules of deploy/monitoring (its program alone, no server)
#   Docker Compose      judges compose.yaml (no Docker is needed for that)
set -euo pipefail
cd "$(dirname "$0")/.."

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
has_compose() { docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; }

missing=()
command -v rsync >/dev/null || missing+=(rsync)
command -v ssh-keygen >/dev/null || missing+=(openssh-client)
if [ ${#missing[@]} -gt 0 ]; then
    if can_install; then
        apt-get update -q >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
    else
        echo "test_setup: the tests need ${missing[*]}; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi

if ! scripts/timescaledb_cluster.sh available; then
    if can_install; then
        scripts/install_timescaledb.sh
    else
        echo "test_setup: TimescaleDB is not installed; the store is tested on the embedded server only (as root: scripts/install_timescaledb.sh)" >&2
    fi
fi
if ! command -v promtool >/dev/null && can_install; then
    folder=$(mktemp -d)
    chmod 755 "$folder"
    apt-get update -q >/dev/null
    # shellcheck disable=SC2015
    (cd "$folder" && apt-get download -q prometheus >/dev/null 2>&1 && dpkg -x prometheus_*.deb . &&
        install -m 755 usr/bin/promtool /usr/local/bin/promtool) ||
        echo "test_setup: apt offers no prometheus; the alert rules are not tried by promtool" >&2
    rm -rf "$folder"
fi
if ! has_compose && can_install; then
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends docker-compose >/dev/null ||
        echo "test_setup: apt offers no docker-compose; of compose.yaml only the structure is tested" >&2
fi
