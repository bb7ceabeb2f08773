#!/usr/bin/env bash
# Runs a fuzz target over its saved corpus, then for some seconds from there on.
# usage: run.sh TARGET CORPUS [SECONDS]
set -euo pipefail

target=$1 corpus=$2 seconds=${3:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/new"
if ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$work/" \
	"$work/new" "$corpus" >"$work/log" 2>&1; then
	tail -n 60 "$work/log"
	for input in "$work"/{crash,timeout,oom,leak}-*; do
		[[ ! -f $input ]] || { echo "--- the input:"; xxd "$input" | head -n 40; }
	done
	exit 1
fi
