#!/usr/bin/env bash
# Installs what the rehearsal of the droplet needs on this machine (Debian, Ubuntu): to boot a system and to reach it.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "rehearsal_setup: booting a machine with systemd-nspawn needs root: sudo make test-droplet" >&2; exit 1; }
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need systemd-nspawn systemd-container
need debootstrap debootstrap
need nft nftables
need ip iproute2
need ssh openssh-client
need rsync rsync
need curl curl
need openssl openssl
need mkfs.ext4 e2fsprogs
need losetup mount
[ "${#missing[@]}" = 0 ] && exit 0
command -v apt-get >/dev/null || { echo "rehearsal_setup: install by hand: ${missing[*]}" >&2; exit 1; }
echo "rehearsal_setup: installing ${missing[*]}"
apt-get update -q >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
