#!/usr/bin/env bash
# What the browser tests need: Chromium from the distribution's packages, and its driver in the virtual environment.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium >/dev/null
    else
        echo "browser_setup: the browser tests need chromium; as root: apt-get install chromium" >&2
        exit 1
    fi
fi
.venv/bin/python -c 'import axe_playwright_python, playwright' 2>/dev/null ||
    .venv/bin/pip install --quiet --constraint constraints.txt --editable ".[browser]"
