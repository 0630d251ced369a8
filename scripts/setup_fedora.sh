#!/usr/bin/env bash
# Makes a Fedora machine ready to train and to generate signals. Running it again changes nothing; docs/fedora.md.
# usage: setup_fedora.sh [--cuda] [--dev] [--docker] [--droplet [USER@]HOST] [--dry-run]     PYTHON=python3.13 takes another Python
#   --cuda     kernels for NVIDIA cards, too; the driver is yours to install, and the script says whether it is there
#   --dev      what `make lint` and `make test` need, too
#   --docker   the TimescaleDB server of compose.yaml in place of the embedded one
#   --droplet  the trading machine that sep-sync and sep-deploy mean
#   --dry-run  print the commands that would run, and run none
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD python=${PYTHON:-python3}
packages=(curl git make openssh-clients postgresql python3 python3-pip rsync)
extras=embedded,data,research,cluster cuda='' docker='' dry='' droplet=${SEP_DROPLET:-}

die() { echo "setup_fedora: $*" >&2; exit 1; }
say() { echo "setup_fedora: $*"; }

while [ $# -gt 0 ]; do
    case $1 in
        --cuda) cuda=yes extras+=,cuda ;;
        --dev) extras+=,dev ;;
        --docker) docker=yes && packages+=(docker-cli docker-compose moby-engine) ;;
        --droplet) droplet=${2:?setup_fedora: --droplet needs a host} && shift ;;
        --dry-run) dry=yes ;;
        *) sed -n '2,8s/^# \{0,1\}//p' "scripts/${0##*/}" >&2 && exit 2 ;;
    esac
    shift
done

run() {
    if [ -n "$dry" ]; then
        echo "+$(printf ' %q' "$@")"
    else
        "$@"
    fi
}
# Writes standard input to a file that differs; everything else is left as it is.
put() {
    local wanted
    wanted=$(cat)
    [ "$(cat "$1" 2>/dev/null)" != "$wanted" ] || return 0
    if [ -n "$dry" ]; then
        echo "+ write $1"
    else
        printf '%s\n' "$wanted" >"$1"
    fi
}

install_packages() {
    command -v dnf >/dev/null || die "there is no dnf: this is for Fedora; elsewhere: make setup"
    rpm -q "${packages[@]}" >/dev/null 2>&1 && return
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    run "${root[@]}" dnf install -y "${packages[@]}"
}

make_environment() {
    run scripts/make_venv.sh "$python" .venv "$extras"
    [ -e .env ] || run install -m 600 .env.example .env
}

make_signing_key() {
    local key=${SEP_BUNDLE_KEY:-${XDG_CONFIG_HOME:-$HOME/.config}/sep-trader/bundle_key}
    [ -e "$key" ] && return
    run mkdir -p -m 700 "$(dirname "$key")"
    run ssh-keygen -q -t ed25519 -N '' -C sep-trader -f "$key"
}

# Fedora's ~/.bashrc reads every file of ~/.bashrc.d.
install_aliases() {
    [ -d "$HOME/.bashrc.d" ] || run mkdir -p "$HOME/.bashrc.d"
    {
        echo "# Written by scripts/setup_fedora.sh of SEP Trader."
        [ -z "$droplet" ] || printf 'export SEP_DROPLET=%q\n' "$droplet"
        printf '. %q\n' "$repository/scripts/aliases.sh"
    } | put "$HOME/.bashrc.d/sep-trader"
    grep -qs 'bashrc\.d' "$HOME/.bashrc" || say "your ~/.bashrc does not read ~/.bashrc.d: add the line  . ~/.bashrc.d/sep-trader"
}

# Fedora's own engine; the server's address goes into .env, and the schema into the server.
start_server() {
    local root=() url=postgresql://sep:sep@127.0.0.1:5433/sep_trading
    [ "$(id -u)" = 0 ] || root=(sudo)
    run "${root[@]}" systemctl enable --now docker
    # Who is in this group is root on this machine; that is what Docker is (docs/fedora.md).
    [ "$(id -u)" = 0 ] || id -nG | grep -qw docker || run sudo usermod -aG docker "$(id -un)"
    run "${root[@]}" docker compose up -d --wait
    if ! grep -qs '^SEP_DATABASE_URL=' .env; then
        if [ -n "$dry" ]; then echo "+ SEP_DATABASE_URL=$url into .env"; else echo "SEP_DATABASE_URL=$url" >>.env; fi
    fi
    run .venv/bin/sep db migrate
}

look_for_a_card() {
    if ! command -v nvidia-smi >/dev/null; then
        say "no NVIDIA driver: the CPU kernels are used until there is one (docs/fedora.md, \"A card\")"
    else
        say "card and driver: $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || echo "nvidia-smi fails")"
    fi
}

install_packages
make_environment
make_signing_key
install_aliases
[ -z "$docker" ] || start_server
[ -z "$cuda" ] || look_for_a_card
[ -n "$dry" ] || say "ready: fill in .env, open a new shell, and ask it sep-help"
