#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 15s), one after another.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' --exclude-dir=peers . | sort | while read -r file; do
  dir=$(dirname "$file")
  sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$file" | while read -r target; do
    echo "== $dir $target"
    "$go" test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-15s}" -fuzzminimizetime 10x "$dir"
  done
done
