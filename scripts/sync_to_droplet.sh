#!/usr/bin/env bash
# Hands new signals, and the pairs and models behind them, to the droplet as one signed bundle; prints the receipt.
# usage: sync_to_droplet.sh [USER@]HOST [--watch] [--candles N]     SSH_OPTIONS="..." for ssh; run it as often as you like
set -euo pipefail
[ $# -ge 1 ] && [[ $1 != -* ]] || { sed -n 's/^# //p' "$0" | head -2 >&2; exit 2; }
host=$1 watch='' export_options=()
shift
while [ $# -gt 0 ]; do
    case $1 in
        --watch) watch=yes ;;
        --candles) export_options+=(--candles "$2") && shift ;;
        *) echo "sync: unknown option $1" >&2 && exit 2 ;;
    esac
    shift
done
[[ $host == *@* ]] || host=root@$host
here=$(cd "$(dirname "$0")/.." && pwd)
sep=${SEP:-$here/.venv/bin/sep}
outbox=${SEP_OUTBOX:-${XDG_STATE_HOME:-$HOME/.local/state}/sep-trader/outbox/${host##*@}}
inbox=/mnt/sep_data/signals
read -ra ssh <<<"ssh ${SSH_OPTIONS:-}"
mkdir -p "$outbox"
# Two at once would export the same number twice.
exec 9>"$outbox/.lock"
flock -n 9 || { echo "sync: another one runs for $host" >&2; exit 1; }

# Each step says `|| return`: called behind `||`, as --watch does, the shell does not stop at an error by itself.
sync_once() {
    local bundle
    # The receiver says what it has: a lost answer, a rebuilt machine and a first run are all the same.
    "${ssh[@]}" "$host" sep signals receipt --json >"$outbox/receipt.json" || return
    bundle=$("$sep" signals export --receipt "$outbox/receipt.json" --out "$outbox" "${export_options[@]}") || return
    if [ -z "$bundle" ]; then
        [ -n "$watch" ] || echo "sync: $host has everything"
        return
    fi
    # A broken transfer leaves its part, and the next run goes on from there.
    rsync --partial --chmod=F640 -e "ssh ${SSH_OPTIONS:-}" "$bundle" "$host:$inbox/" || return
    # shellcheck disable=SC2029
    "${ssh[@]}" "$host" "chown sep-trader: $inbox/$(basename "$bundle") && sep signals import $inbox/$(basename "$bundle"); \
        status=\$?; rm -f $inbox/$(basename "$bundle"); exit \$status" || return
    rm -f "$bundle"
}

sync_once
while [ -n "$watch" ]; do
    sleep "${SEP_SYNC_EVERY:-5}"
    sync_once || echo "sync: trying again in ${SEP_SYNC_EVERY:-5} s" >&2
done
