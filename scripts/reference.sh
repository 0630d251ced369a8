#!/usr/bin/env bash
# API reference from the docstrings: the packages that another program may import.
set -euo pipefail
cd "$(dirname "$0")/.."
faces=(sep_trader.market sep_trader.qfh sep_trader.research sep_trader.history sep_trader.broker sep_trader.exchange
    sep_trader.errors sep_trader.settings)
# Modules that are there for one device only, or that a process is started with, are not faces.
.venv/bin/pdoc --docformat restructuredtext --output-directory build/reference \
    "${faces[@]}" '!sep_trader.research.kernels' '!sep_trader.qfh.kernels' >/dev/null
echo "reference: build/reference/index.html ($(find build/reference -name '*.html' | wc -l) pages)"
