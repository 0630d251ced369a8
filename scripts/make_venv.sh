#!/usr/bin/env bash
# Makes a virtual environment with this package in it.  usage: make_venv.sh PYTHON FOLDER EXTRAS
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 folder=$2 extras=$3

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "make_venv: $python is older than Python 3.11; name another with PYTHON=..." >&2; exit 1; }
if ! "$python" -m venv "$folder" 2>/dev/null; then
    # Debian and Ubuntu ship Python without ensurepip.
    rm -rf "$folder"
    [ "$(id -u)" = 0 ] || { echo "make_venv: 'venv' is missing; install it: apt-get install python3-venv" >&2; exit 1; }
    apt-get update -q && apt-get install -q -y python3-venv
    "$python" -m venv "$folder"
fi
"$folder/bin/pip" install --quiet --constraint constraints.txt --editable ".[$extras]"
