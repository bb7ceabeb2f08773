#!/usr/bin/env bash
# quick.sh PROGRAM STAGE...: a micro-benchmark runs, and what it prints for programs makes sense:
# a line per case and stage, these stages and no others, each with a cost. No cost is judged.
set -euo pipefail

command -v jq >/dev/null || exit 77
program=$1
shift
bad=0
fail() {
	echo "$1"
	bad=1
}

# all_lines FILTER [WORD...]: all lines of the output, taken together, pass the filter.
all_lines() {
	jq -es "$1" --arg bench "$(basename "$program" _bench)" --args "${@:2}" <"$out" >/dev/null
}

out=$(mktemp)
trap 'rm -f "$out"' EXIT

"$program" -j --quick >"$out" || fail "it ends with $?"
all_lines 'length > 1 and all(keys == ["bench", "case", "cycles", "ns", "q1", "q3", "stage"])' ||
	fail "not every line has all keys and no others"
all_lines 'all(.bench == $bench and (.case | length > 0))' || fail "a line is of something else"
# shellcheck disable=SC2016 # jq's variables
all_lines 'all(.cycles > 0 and .ns > 0 and .q1 <= .cycles and .cycles <= .q3)' ||
	fail "not every stage has a cost"
# shellcheck disable=SC2016
all_lines '(map(.stage) | unique) == ($ARGS.positional | unique)' "$@" ||
	fail "the stages are $(jq -rs 'map(.stage) | unique | join(", ")' <"$out")"
all_lines '(map([.case, .stage]) | unique | length) == length' || fail "a stage comes twice"
((bad == 0)) || cat "$out"

# Words choose cases; the same cases make the table that people read.
name=$(jq -rs '.[-1].case' <"$out")
cases=$("$program" -j --quick "$name" | jq -rs 'map(.case) | unique | length')
((cases == 1)) || fail "'$name' chooses $cases cases"
"$program" --quick "$name" | grep -F -- "$name" >/dev/null || fail "'$name' is not in the table"
[[ -z $("$program" -j --quick 'no such case') ]] || fail "'no such case' chooses something"

# What it does not understand, it says.
for wrong in --rounds=0 --rounds=x -y; do
	"$program" "$wrong" 2>"$out" && status=0 || status=$?
	((status == 2)) || fail "$wrong ends with $status"
	grep -q '^usage: ' "$out" || fail "$wrong prints no usage"
done
exit "$bad"
