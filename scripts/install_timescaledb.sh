#!/usr/bin/env bash
# Installs TimescaleDB for a PostgreSQL server of this machine (Debian, Ubuntu). Running it again changes nothing.
#
#   install_timescaledb.sh [MAJOR]        PostgreSQL major; default: the newest installed, else 17 or, where apt
#                                         does not offer that, the distribution's own
#
# 1. Where apt offers the vendor's package (timescaledb-2-postgresql-MAJOR), that one: the Community build. Set
#    TIMESCALEDB_REPOSITORY and TIMESCALEDB_KEY to the addresses of the vendor's installation page to add its repository.
# 2. Where apt offers postgresql-MAJOR-timescaledb, that one: the Apache build.
# 3. On Debian, a build (Apache) from Debian's source package of a newer suite (TIMESCALEDB_SUITE, default trixie), from
#    the mirror that the machine's own apt sources name. The result is kept under ~/.cache/sep-trader for next time.
set -euo pipefail

say() { echo "install_timescaledb: $*"; }
die() { echo "install_timescaledb: $*" >&2; exit 1; }

installed_major() { { find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null || true; } | sort -n | tail -1; }
offered() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }
distribution_major() { apt-cache policy postgresql | sed -n 's/^ *Candidate: \([0-9]*\).*/\1/p'; }
apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null; }

major=${1:-$(installed_major)}
if [ -z "$major" ]; then
    offered postgresql-17 || offered postgresql || apt-get update -q >/dev/null
    if offered postgresql-17; then major=17; else major=$(distribution_major); fi
fi
suite=${TIMESCALEDB_SUITE:-trixie}
cache=${SEP_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sep-trader}
[[ $major =~ ^1[4-8]$ ]] || die "PostgreSQL $major is not supported: 14 to 18 are"
[ "$major" != 14 ] || say "PostgreSQL 14 is past its end of life (November 2026): no more fixes. 17 is the better choice."

control=/usr/share/postgresql/$major/extension/timescaledb.control
if [ -e "$control" ] && [ -x "/usr/lib/postgresql/$major/bin/postgres" ]; then
    say "TimescaleDB $(sed -n "s/^default_version = '\(.*\)'/\1/p" "$control") is installed for PostgreSQL $major"
    exit 0
fi
[ "$(id -u)" = 0 ] || die "needs root: sudo $0 $major"
command -v apt-get >/dev/null || die "only Debian and Ubuntu are supported: see docs/data.md for other systems"

add_vendor_repository() {
    apt_install ca-certificates curl gnupg
    curl -fsSL "${TIMESCALEDB_KEY:?the address of the repository key}" | gpg --dearmor --yes -o /usr/share/keyrings/timescaledb.gpg
    # shellcheck disable=SC1091
    echo "deb [signed-by=/usr/share/keyrings/timescaledb.gpg] $TIMESCALEDB_REPOSITORY $(. /etc/os-release; echo "$VERSION_CODENAME") main" \
        >/etc/apt/sources.list.d/timescaledb.list
}

unpack() { tar -C / --no-overwrite-dir -xf "$1"; say "TimescaleDB is installed for PostgreSQL $major"; }

# Debian's archive in the machine's own apt sources, as deb-src lines of the newer suite.
write_source_list() {
    local mirror keyring
    mirror=$({ grep -hE '^URIs:' /etc/apt/sources.list.d/*.sources || true
               grep -hoE '^deb (\[[^]]*\] )?[^ ]+ ' /etc/apt/sources.list /etc/apt/sources.list.d/*.list || true; } 2>/dev/null |
             grep -oE '[a-z+]+:[^ ]*/debian/?( |$)' | head -1 | tr -d ' ')
    [ -n "$mirror" ] || die "no Debian mirror in the apt sources"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suite" "$keyring" >"$1/source.sources"
}

build() {
    local work=$1 apt
    write_source_list "$work"
    mkdir -p "$work/lists/partial"
    apt=(apt-get -q -o Dir::Etc::SourceParts=/dev/null -o "Dir::Etc::SourceList=$work/source.sources"
         -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
    "${apt[@]}" update >/dev/null
    (cd "$work" && "${apt[@]}" source --download-only timescaledb >/dev/null)
    mkdir "$work/source" && tar -C "$work/source" --strip-components=1 -xf "$work"/timescaledb_*.orig.tar.*
    cmake -S "$work/source" -B "$work/build" -Wno-dev -DCMAKE_BUILD_TYPE=Release -DAPACHE_ONLY=1 -DUSE_TELEMETRY=OFF \
        -DREGRESS_CHECKS=OFF -DTAP_CHECKS=OFF -DWARNINGS_AS_ERRORS=OFF -DGENERATE_DOWNGRADE_SCRIPT=OFF \
        -DPG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config" >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; die "cmake failed"; }
    make -C "$work/build" -j "$(nproc)" >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; die "the build failed"; }
    DESTDIR="$work/root" make -C "$work/build" install >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; die "make install failed"; }
}

[ -z "${TIMESCALEDB_REPOSITORY:-}" ] || add_vendor_repository
server=postgresql-$major
offered "$server" || apt-get update -q >/dev/null
offered "$server" || die "apt offers no $server: add the PostgreSQL project's repository, or name another major"
[ -x "/usr/lib/postgresql/$major/bin/postgres" ] || apt_install "$server"
for package in "timescaledb-2-postgresql-$major" "postgresql-$major-timescaledb"; do
    if offered "$package"; then
        apt_install "$package"
        apt-mark hold "$package" "$server" >/dev/null
        say "installed $package; it and $server are on hold, for they must be upgraded together"
        exit 0
    fi
done

[ "$(sed -n 's/^ID=//p' /etc/os-release)" = debian ] || die "apt offers no TimescaleDB: set TIMESCALEDB_REPOSITORY and TIMESCALEDB_KEY"
# Named after the server's exact version, which installing the tools may change.
kept() {
    local version
    version=$("/usr/lib/postgresql/$major/bin/postgres" --version | grep -oE '[0-9]+\.[0-9]+' | head -1)
    echo "$cache/timescaledb-$suite-pg$version-$(dpkg --print-architecture).tar.gz"
}
if [ -e "$(kept)" ]; then
    unpack "$(kept)"
    exit 0
fi
say "building from Debian's source package of $suite for PostgreSQL $major (about a minute)"
tools=(cmake make gcc libc6-dev libssl-dev xz-utils "postgresql-server-dev-$major")
dpkg-query -W "${tools[@]}" >/dev/null 2>&1 || { apt-get update -q >/dev/null; apt_install "${tools[@]}"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build "$work"
mkdir -p "$cache"
tar -C "$work/root" -czf "$work/built" . && mv "$work/built" "$(kept)"
unpack "$(kept)"
