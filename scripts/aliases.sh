# Shell commands for the local machine's daily work, for bash and zsh; scripts/setup_fedora.sh makes new shells read it.
# Each runs in the repository, whose .env holds the settings: give files by their whole path.
# SEP_DROPLET names the trading machine, [USER@]HOST. `sep-help` prints what there is.
# shellcheck shell=bash

# zsh has no BASH_SOURCE, but $0 names the file being read.
SEP_REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)

_sep_here() (cd "$SEP_REPOSITORY" && exec "$@")
_sep_droplet() {
    if [ -z "${SEP_DROPLET:-}" ]; then
        echo "which droplet? export SEP_DROPLET=[USER@]HOST" >&2
        return 2
    fi
    case $SEP_DROPLET in *@*) echo "$SEP_DROPLET" ;; *) echo "root@$SEP_DROPLET" ;; esac
}

sep() { _sep_here .venv/bin/sep "$@"; }
sep-status() { sep status "$@"; }
sep-download() { sep data download "$@"; }
sep-train() { sep train-all "$@"; }
sep-signals() { sep generate_signals --follow "$@"; }

sep-deploy() { _sep_droplet >/dev/null && _sep_here scripts/deploy_to_droplet.sh "$(_sep_droplet)" "$@"; }
# By the key of the hand-over, unless SEP_DROPLET names another user than root.
sep-sync() { _sep_droplet >/dev/null && _sep_here scripts/sync_to_droplet.sh "${SEP_DROPLET#root@}" "$@"; }
sep-rollback() { _sep_droplet >/dev/null && _sep_here scripts/deploy_to_droplet.sh "$(_sep_droplet)" --rollback "$@"; }
sep-droplet() {
    _sep_droplet >/dev/null || return
    # The words travel quoted: the other side's shell reads them once more.
    # shellcheck disable=SC2029
    ssh "$(_sep_droplet)" "sep$([ $# = 0 ] || printf ' %q' "$@")"
}
# What the web says, with the token that the deployment left here.
droplet-status() {
    _sep_droplet >/dev/null || return
    local host=${SEP_DROPLET##*@}
    local token=${XDG_CONFIG_HOME:-$HOME/.config}/sep-trader/tokens/$host
    if [ ! -r "$token" ]; then
        echo "no token of $host: deploy, or put one from 'sep token create' into $token" >&2
        return 2
    fi
    # The token stands in no list of processes.
    curl -fsSk --config - "https://$host${1:-/api/status}" <<<"header = \"Authorization: Bearer $(cat "$token")\""
}
# shellcheck disable=SC2029
droplet-ssh() { _sep_droplet >/dev/null && ssh "$(_sep_droplet)" "$@"; }
droplet-sync() { sep-sync "$@"; }
sep-trades() { sep-droplet trade trades "$@"; }
sep-health() { sep-droplet health "$@"; }
# No new order from now on; stops and targets rest at the broker.
sep-halt() {
    if [ $# = 0 ]; then
        echo "usage: sep-halt REASON" >&2
        return 2
    fi
    sep-droplet trade halt --by "$(id -un)" --reason "$*"
}

sep-help() {
    cat <<'HELP'
sep ...                 any command, in the repository, with its .env
sep-status              pairs, verdicts, the switch
sep-download ...        candles from the broker              sep data download
sep-train               train and judge every pair           sep train-all
sep-signals             signals as candles complete          sep generate_signals --follow
sep-deploy [--check]    the droplet as it should be          scripts/deploy_to_droplet.sh
sep-rollback [VERSION]  the droplet to the release before    scripts/deploy_to_droplet.sh HOST --rollback
sep-sync [--watch]      signals and models to the droplet    scripts/sync_to_droplet.sh
sep-droplet ...         any command, on the droplet
sep-trades              open and recent trades there
sep-health              what its health timer asks
sep-halt REASON         no new orders
droplet-status [PATH]   what its web says, with the token of the deployment
droplet-ssh             a shell there
droplet-sync [--watch]  as sep-sync
HELP
}
