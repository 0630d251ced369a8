#!/usr/bin/env bash
# Turns a Debian or Ubuntu machine, reached by ssh key, into a trading host, or brings one up to date.
# usage: deploy_to_droplet.sh [USER@]HOST [--check] [-e name=value ...]     variables: deploy/variables.yml; docs/droplet.md
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] && [[ $1 != -* ]] || { sed -n 's/^# //p' "$0" | head -2 >&2; exit 2; }
host=$1
shift

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

export ANSIBLE_CONFIG=$PWD/deploy/ansible.cfg
exec "$venv"/bin/ansible-playbook deploy/playbook.yml -i "${host##*@}," \
    -u "$([[ $host == *@* ]] && echo "${host%@*}" || echo root)" -e "wheel=$wheel" -e "constraints=$PWD/constraints.txt" "$@"
