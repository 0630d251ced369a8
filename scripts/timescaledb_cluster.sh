#!/usr/bin/env bash
# A throw-away PostgreSQL cluster with TimescaleDB, for tests and benchmarks; reached over a unix socket only.
#
#   timescaledb_cluster.sh start [SETTING=VALUE ...]    prints the folder (under TMPDIR) and the address, a line each
#   timescaledb_cluster.sh restart FOLDER               also after the server stopped by itself
#   timescaledb_cluster.sh stop FOLDER
#   timescaledb_cluster.sh available                    status 0 where TimescaleDB is installed for some server
set -euo pipefail

newest() {
    find /usr/share/postgresql -path '*/extension/timescaledb.control' 2>/dev/null | grep -oE 'postgresql/[0-9]+' | cut -d/ -f2 | sort -n | tail -1
}

# PostgreSQL refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

case ${1:-} in
available)
    [ -n "$(newest)" ] ;;
start)
    shift
    major=$(newest)
    [ -n "$major" ] || { echo "timescaledb_cluster: not installed; run scripts/install_timescaledb.sh" >&2; exit 1; }
    bin=/usr/lib/postgresql/$major/bin
    folder=$(as_owner mktemp -d "${TMPDIR:-/tmp}/sep-timescaledb.XXXXXX")
    cd "$folder" 2>/dev/null || cd /
    as_owner "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    as_owner tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$folder'
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
max_locks_per_transaction = 512
$(printf '%s\n' "$@")
CONF
    as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w start >/dev/null || { as_owner cat "$folder/log" >&2; exit 1; }
    printf '%s\n%s\n' "$folder" "postgresql://postgres@/postgres?host=$folder" ;;
restart)
    folder=${2:?the folder that start printed}
    bin=/usr/lib/postgresql/$(cat "$folder/data/PG_VERSION")/bin
    cd /
    as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -m immediate -w restart >/dev/null ;;
stop)
    folder=${2:?the folder that start printed}
    bin=/usr/lib/postgresql/$(cat "$folder/data/PG_VERSION")/bin
    cd /
    as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null || true
    rm -rf "$folder" ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
