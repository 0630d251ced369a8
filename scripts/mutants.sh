#!/usr/bin/env bash
# Mutation testing of the rooms that decide about money: changes the source a little at a time and asks whether a test
# notices. Prints the share that was noticed for each room, and fails below the floor.
#   scripts/mutants.sh [FLOOR]     FLOOR in per cent, 95 unless given; market has one of 90
set -euo pipefail
cd "$(dirname "$0")/.."
floor=${1:-95}
export SEP_TEST_DATA=${SEP_TEST_DATA:-$PWD/../shared/data}
rm -rf mutants
.venv/bin/mutmut run >mutants.log 2>&1 || { tail -n 20 mutants.log >&2; exit 1; }
.venv/bin/mutmut results --all true 2>/dev/null | awk -v floor="$floor" '
    $2 ~ /^[a-z]/ {
        split($1, part, ".")
        room = part[2]
        if ($2 == "killed" || $2 == "timeout") noticed[room]++
        else print "  not noticed: " $1 " " $2
        all[room]++
        count++
    }
    END {
        for (room in all) {
            share = 100 * noticed[room] / all[room]
            least = room == "market" && floor > 90 ? 90 : floor
            printf "mutants: %-9s %d of %d noticed, %.1f %%, floor %d %%\n", room, noticed[room], all[room], share, least
            if (share < least) failed = 1
        }
        exit failed || count == 0
    }'
