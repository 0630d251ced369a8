#!/usr/bin/env bash
# Turns a Debian or Ubuntu machine, reached by ssh key, into a trading host, or brings one up to date.
# usage: deploy_to_droplet.sh [USER@]HOST [--check] [-e name=value ...]
#        deploy_to_droplet.sh [USER@]HOST --rollback [VERSION]
# Variables: deploy/variables.yml; what to expect: docs/droplet.md
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] && [[ $1 != -* ]] || { sed -n 's/^# \{0,1\}//p' "$0" | sed -n 2,5p >&2; exit 2; }
host=$1
shift
[[ $host == *@* ]] || host=root@$host

if [ "${1:-}" = --rollback ]; then
    # To the release before this one, or the one that is named; the machine refuses one that cannot work on its database.
    read -ra ssh <<<"ssh -o ConnectTimeout=20 ${SSH_OPTIONS:-}"
    # shellcheck disable=SC2029
    exec "${ssh[@]}" "$host" "$([[ $host == root@* ]] || echo 'sudo -n ')/usr/local/lib/sep-trader/release rollback ${2:-}"
fi

python=${PYTHON:-python3}
venv=${SEP_DEPLOY_VENV:-deploy/.venv}
if ! "$venv"/bin/ansible-playbook --version >/dev/null 2>&1; then
    echo "deploy: making $venv with the deployment tool"
    "$python" -m venv --clear "$venv"
    "$venv"/bin/pip install --quiet --disable-pip-version-check -r deploy/requirements.txt
fi

# The wheel of this working tree; equal trees give equal wheels, so a second run has nothing to ship.
build=$PWD/.cache/deploy
rm -rf "$build" && mkdir -p "$build"
"$venv"/bin/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$build" .
wheel=$(echo "$build"/sep_trader-*.whl)
version=$(basename "$wheel" | cut -d- -f2)
release=$version-$(cat "$wheel" deploy/wheels.txt | sha256sum | cut -c1-8)

# The broker's account and token travel in the environment, never on a command line or in a file of the repository.
for file in .env OANDA.env; do
    [ -f "$file" ] || continue
    # Read, not run: a value is a value, whatever is in it. The environment wins, as everywhere.
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Z][A-Z0-9_]*)=(.*)$ ]] || continue
        name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]%$'\r'}
        [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]] && value=${BASH_REMATCH[1]}
        [ -n "${!name:-}" ] || export "$name=$value"
    done <"$file"
done
key=${SEP_BUNDLE_KEY:-$HOME/.config/sep-trader/bundle_key}
if [ -z "${SEP_BUNDLE_SIGNERS:-}" ] && [ -f "$key.pub" ]; then
    SEP_BUNDLE_SIGNERS="sep-trader $(cut -d' ' -f1,2 "$key.pub")"
    export SEP_BUNDLE_SIGNERS
fi

# The key that hands over and may do nothing else there; it is made once, without a passphrase, for it works at night.
handover=${SEP_HANDOVER_KEY:-$HOME/.config/sep-trader/handover_key}
if [ ! -e "$handover" ]; then
    mkdir -p "$(dirname "$handover")"
    ssh-keygen -q -t ed25519 -N '' -C "sep-handover $(hostname)" -f "$handover"
    echo "deploy: made $handover, by which signals are handed over"
fi
[ -n "${SEP_HANDOVER_KEYS:-}" ] || SEP_HANDOVER_KEYS=$(cut -d' ' -f1,2 "$handover.pub")
export SEP_HANDOVER_KEYS

export ANSIBLE_CONFIG=$PWD/deploy/ansible.cfg
exec "$venv"/bin/ansible-playbook deploy/playbook.yml -i "${host##*@}," \
    -u "${host%@*}" -e "wheel=$wheel" -e "wheels=$PWD/deploy/wheels.txt" -e "release=$release" "$@"
