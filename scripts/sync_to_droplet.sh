#!/usr/bin/env bash
# Hands new signals, pairs and models to the droplet as one signed bundle, and
# brings home what happened there; run it as often as you like.
# usage: sync_to_droplet.sh [USER@]HOST [--watch] [--candles N]   (SSH_OPTIONS)
#
# It logs in by the key of the hand-over, which may do nothing else there; as somebody else, such as root@HOST, if you say so.
set -euo pipefail
[ $# -ge 1 ] && [[ $1 != -* ]] || { sed -n 's/^# //p' "$0" | head -3 >&2; exit 2; }
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
handover_key=${SEP_HANDOVER_KEY:-$HOME/.config/sep-trader/handover_key}
identity=''
if [[ $host != *@* ]]; then
    [ -r "$handover_key" ] || { echo "sync: there is no $handover_key; deploy, which makes it, or say root@$host" >&2; exit 2; }
    host=sep-handover@$host identity="-i $handover_key -o IdentitiesOnly=yes"
fi
name=${host##*@}
here=$(cd "$(dirname "$0")/.." && pwd)
sep=${SEP:-$here/.venv/bin/sep}
outbox=${SEP_OUTBOX:-${XDG_STATE_HOME:-$HOME/.local/state}/sep-trader/outbox/$name}
handover=/usr/local/lib/sep-trader/handover
# All goes through one connection: the firewall there lets few begin. Its socket is ours alone, and ends with us.
control=$(mktemp -d "${XDG_RUNTIME_DIR:-/tmp}/sep-XXXXXX")
# A host that is off must not hold up who would tell of it. What you say of ssh comes after whose key it is.
read -ra ssh <<<"ssh $identity -o ConnectTimeout=20 -o ServerAliveInterval=10 -o ControlMaster=auto -o ControlPersist=60 \
-o ControlPath=$control/ssh ${SSH_OPTIONS:-}"
trap '"${ssh[@]}" -O exit "$host" >/dev/null 2>&1 9>&- || true; rm -rf "$control"' EXIT
# The key of the hand-over is let into its inbox and nowhere else; another user names it, and the files are to be its own.
inbox='' receiver=()
[ -n "$identity" ] || { inbox=/mnt/sep_data/signals/ receiver=(--rsync-path="runuser -u sep-handover -- rsync"); }
mkdir -p "$outbox"
# Two at once would export the same number twice.
exec 9>"$outbox/.lock"
flock -n 9 || { echo "sync: another one runs for $name" >&2; exit 1; }

# What ssh leaves behind, such as a shared connection, must not hold our lock.
remote() { "${ssh[@]}" "$@" 9>&-; }

# What happened there since what is here: orders, trades, broker transactions, equity, decay. With --watch once a minute.
brought_at=0
bring_home() {
    local told
    [ -z "$watch" ] || [ $(($(date +%s) - brought_at)) -ge "${SEP_RESULTS_EVERY:-60}" ] || return 0
    brought_at=$(date +%s)
    while true; do
        "$sep" results receipt --of "$outbox/receipt.json" >"$outbox/have.json" || return
        remote "$host" "$handover results" <"$outbox/have.json" >"$outbox/results" || return
        told=$("$sep" results import "$outbox/results" --of "$outbox/receipt.json" ${watch:+--news}) || return
        [ -z "$told" ] || echo "$told"
        rm -f "$outbox/results"
        [[ $told == *"there is more"* ]] || return 0
    done
}

# Each step says `|| return`: called behind `||`, as --watch does, the shell does not stop at an error by itself.
sync_once() {
    local bundle brought=0
    # The receiver says what it has: a lost answer, a rebuilt machine and a first run are all the same.
    remote "$host" "$handover receipt" >"$outbox/receipt.json" || return
    # What cannot come home keeps no signal, and above all no disabling, from going there.
    bring_home || brought=$?
    bundle=$("$sep" signals export --receipt "$outbox/receipt.json" --out "$outbox" "${export_options[@]}") || return
    if [ -z "$bundle" ]; then
        [ -n "$watch" ] || echo "sync: $name has everything"
        return "$brought"
    fi
    # A broken transfer leaves its part, and the next run goes on from there.
    rsync --partial --chmod=F640 "${receiver[@]}" -e "${ssh[*]}" "$bundle" "$host:$inbox" 9>&- || return
    # shellcheck disable=SC2029
    remote "$host" "$handover import $(basename "$bundle")" || return
    rm -f "$bundle"
    return "$brought"
}

# A machine that is off tells nobody: who watches tells its owner, by the targets of this machine (SEP_ALERT_URLS).
silent_since=0 told=''
heard() {
    silent_since=0
    [ -z "$told" ] || { "$sep" alert say "$name answers again" "sync --watch reached it." --severity info || true; }
    told=''
}
missed() {
    now=$(date +%s)
    [ "$silent_since" -gt 0 ] || silent_since=$now
    [ -z "$told" ] && [ $((now - silent_since)) -ge "${SEP_SYNC_ALARM:-120}" ] || return 0
    echo "sync: $name has not answered for $((now - silent_since)) s" >&2
    "$sep" alert say "$name does not answer" "sync --watch has not reached it for $((now - silent_since)) s; stops and \
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
