#!/usr/bin/env bash
# The checks that `make lint` and CI run: style, types, import contracts, shell.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
"$bin/lint-imports" --no-cache
git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run 'deploy/roles/*/files/*' ':!*.sql' | xargs -0 "$bin/shellcheck"
