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
# A host that is off must not hold up who would tell of it.
read -ra ssh <<<"ssh -o ConnectTimeout=20 -o ServerAliveInterval=10 ${SSH_OPTIONS:-}"
mkdir -p "$outbox"
# Two at once would export the same number twice.
exec 9>"$outbox/.lock"
flock -n 9 || { echo "sync: another one runs for $host" >&2; exit 1; }

# What ssh leaves behind, such as a shared connection, must not hold our lock.
remote() { "${ssh[@]}" "$@" 9>&-; }

# Each step says `|| return`: called behind `||`, as --watch does, the shell does not stop at an error by itself.
sync_once() {
    local bundle
    # The receiver says what it has: a lost answer, a rebuilt machine and a first run are all the same.
    remote "$host" sep signals receipt --json >"$outbox/receipt.json" || return
    bundle=$("$sep" signals export --receipt "$outbox/receipt.json" --out "$outbox" "${export_options[@]}") || return
    if [ -z "$bundle" ]; then
        [ -n "$watch" ] || echo "sync: $host has everything"
        return
    fi
    # A broken transfer leaves its part, and the next run goes on from there.
    rsync --partial --chmod=F640 -e "ssh ${SSH_OPTIONS:-}" "$bundle" "$host:$inbox/" 9>&- || return
    # shellcheck disable=SC2029
    remote "$host" "chown sep-trader: $inbox/$(basename "$bundle") && sep signals import $inbox/$(basename "$bundle"); \
        status=\$?; rm -f $inbox/$(basename "$bundle"); exit \$status" || return
    rm -f "$bundle"
}

# A machine that is off tells nobody: who watches tells its owner, by the targets of this machine (SEP_ALERT_URLS).
silent_since=0 told=''
heard() {
    silent_since=0
    [ -z "$told" ] || { "$sep" alert say "$host answers again" "sync --watch reached it." --severity info || true; }
    told=''
}
missed() {
    now=$(date +%s)
    [ "$silent_since" -gt 0 ] || silent_since=$now
    [ -z "$told" ] && [ $((now - silent_since)) -ge "${SEP_SYNC_ALARM:-120}" ] || return 0
    echo "sync: $host has not answered for $((now - silent_since)) s" >&2
    "$sep" alert say "$host does not answer" "sync --watch has not reached it for $((now - silent_since)) s; stops and \
targets rest at the broker, and nobody watches the horizon of open trades." --severity critical && told=yes || true
}

while true; do
    status=0
    sync_once || status=$?
    [ -n "$watch" ] || exit "$status"
    # 255 is ssh's own: nobody answered. Any other error came from a machine that lives.
    if [ "$status" = 255 ]; then missed; else heard; fi
    [ "$status" = 0 ] || echo "sync: trying again in ${SEP_SYNC_EVERY:-5} s" >&2
    sleep "${SEP_SYNC_EVERY:-5}"
done
