#!/usr/bin/env bash
# What does a port that misbehaves cost the others?
#
#   bench/isolation.sh [OPTION...]
#
#   -n, --rounds N       each measures beside every kind of neighbour (7)
#   -t, --seconds T      of each trial (1)
#   -s, --size BYTES     of a frame, or imix (64)
#   -o, --output DIR     where samples and results go
#   -b, --build DIR      the build, with vswbench and rogue in it
#       --tolerance PART of the frames at half load that may get lost beside a neighbour (0.01)
#   -j, --json           results as JSON instead of text
#   -h, --help           this
#
#   guest 1 ---- p1 ----+
#   guest 2 ---- p2 ----[ s ]----  one proc polls all ports
#   rogue ------ p3 ----+
#
# The rogue is silent; or sends broadcasts (storm-limit 100), or frames from ever new stations
# (max-stations 1000), both as fast as the switch takes them; or breaks its ring, resets its device
# and begins anew. Beside each the other two send to each other at full load, where the rogue's
# frames take their share of the proc, and at half of what goes through beside a silent rogue,
# which must be as good as alone. On two cores the rogue shares the guests' core. Exit codes: 0 it
# is; 1 it is not; 2 wrong usage, or something does not work; 3 too much noise to say; 130 Ctrl-C.
# Needs root. Nothing is left behind.
set -euo pipefail

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
arguments=("$@")
rounds=7 seconds=1 size=64 output='' tolerance=0.01 json=''
build=${VSW_BUILD:-$top/build}
ring=4096 # descriptors of the guests
modes=(silent storm stations breaks)
rogue_mac=02:66:00:00:00:01 # as in rogue.c

# shellcheck source=bench/switches.sh
source "$top/bench/switches.sh"

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }

parse() {
	local options
	options=$(getopt -n isolation.sh -o n:t:s:o:b:jh \
		-l rounds:,seconds:,size:,output:,build:,tolerance:,json,help -- "$@") || exit 2
	eval "set -- $options"
	while [[ $1 != -- ]]; do
		case $1 in
		-j | --json) json=1 ;;
		-h | --help) usage; exit 0 ;;
		*) parse_value "$1" "$2"; shift ;;
		esac
		shift
	done
	(($# == 1)) || sw_die "'$2' is superfluous"
	output=${output:-$build/bench-results/isolation-$(date +%Y-%m-%d-%H%M%S)}
}

parse_value() {
	case $1 in
	-n | --rounds) rounds=$2; [[ $2 =~ ^[1-9][0-9]*$ ]] || sw_die "$1: '$2' is no number" ;;
	-t | --seconds) seconds=$2; [[ $2 =~ ^[0-9]*\.?[0-9]*[1-9]0*$ ]] || sw_die "$1: '$2' are no seconds" ;;
	-s | --size) size=$2; [[ $2 == imix || $2 =~ ^[1-9][0-9]{1,3}$ ]] || sw_die "$1: '$2' is no size" ;;
	-o | --output) output=$2 ;;
	-b | --build) build=$(readlink -f "$2") || sw_die "there is no directory '$2'" ;;
	--tolerance) tolerance=$2; [[ $2 =~ ^0?\.[0-9]+$ || $2 == 0 ]] || sw_die "$1: '$2' is not a part like 0.01" ;;
	esac
}

check_programs() {
	local program
	((EUID == 0)) || sw_die "must be root: it makes a network namespace"
	for program in jq ip taskset setpriv flock; do
		sw_has "$program" || sw_die "'$program' is missing; ./lab bench isolation installs what is needed"
	done
	for program in switch/vswd switch/vswctl bench/vswbench bench/rogue; do
		[[ -x $build/$program ]] || sw_die "$build/$program is not built; -b names another build"
	done
}

start_ports() {
	start_switch vsw
	sw_ctl port add p3 switch s vhost "$SW_WORK/3.sock" server
	sw_ctl port set p3 mac "$rogue_mac" mac-spoofing on storm-limit 100 max-stations 1000
	guests=(--core "$SW_GUEST_CORE" --client --guest "${sw_guests[0]}" --guest "${sw_guests[1]}"
		--watch "${sw_watch[0]}" --no-ceiling --size "$size" --ring "$ring" --seconds "$seconds")
	[[ -z $SW_HUGE ]] || guests+=(--huge)
}

# --- the neighbour -------------------------------------------------------------------------

rogue_begin() {
	setpriv --pdeathsig KILL -- taskset -c "$SW_OTHER_CORE" "$build/bench/rogue" "$1" \
		"$SW_WORK/3.sock" 9>&- >"$SW_WORK/rogue" 2>>"$sw_log" &
	sw_tool=$!
	# One that breaks its ring is hardly ever connected when one looks.
	sw_wait_for rogue_is_there
}

rogue_is_there() {
	"$build/switch/vswctl" -r "$SW_WORK/run" -j show ports p3 |
		jq -e '.ports[0].state | IN("Connected", "Connecting")'
}

# Leaves what it did in $SW_WORK/rogue.
rogue_end() {
	local status=0
	kill "$sw_tool"
	wait "$sw_tool" || status=$?
	sw_tool=''
	((status == 0)) || sw_die "the rogue ended early: $(tail -n 1 "$sw_log")"
}

# --- one trial -----------------------------------------------------------------------------

# bench TEST OPTION...: its JSON is in $SW_WORK/bench. A few of the rogue's frames reach the guests,
# which vswbench finds wrong.
bench() {
	local status=0
	timeout -k 5 120 "$build/bench/vswbench" "$1" -j "${@:2}" "${guests[@]}" 9>&- \
		>"$SW_WORK/bench" 2>>"$sw_log" || status=$?
	((status <= 1)) || sw_die "vswbench $1 ended with $status: $(tail -n 1 "$sw_log")"
}

# Half of what goes through when the guests look at their frames, in frames per second.
find_half() {
	rogue_begin silent
	bench rate --stamp
	rogue_end
	half=$(jq '.result.rx_mpps * 500000 | floor' "$SW_WORK/bench")
	((half > 0)) || sw_die "no frame goes through"
}

# trial ROUND MODE: samples of both loads.
trial() {
	rogue_begin "$2"
	bench rate --static
	jq -c --argjson round "$1" --arg mode "$2" '.result as $r | {round: $round, switch: $mode,
		disturbed: ($r.polling_waited_pct >= 10 or $r.waited_pct >= 10)} + (
			{metric: "rate", value: $r.rx_mpps, unit: "Mpps", better: "higher"},
			{metric: "cycles", value: $r.cycles_per_frame, unit: "cycles", better: "lower"}) |
		.point = "full"' "$SW_WORK/bench" >>"$output/samples.jsonl"
	bench latency --stamp --rate "$half" --load 100
	jq -c --argjson round "$1" --arg mode "$2" --argjson half "$half" '.rows[0] as $r | {
		round: $round, switch: $mode, disturbed: ($r.offered_mpps * 1e6 < 0.9 * $half)} + (
			{metric: "loss", value: $r.loss_pct, unit: "%", better: "lower"},
			{metric: "p50", value: $r.p50_us, unit: "us", better: "lower"},
			{metric: "p99", value: $r.p99_us, unit: "us", better: "lower"}) |
		.point = "half"' "$SW_WORK/bench" >>"$output/samples.jsonl"
	rogue_end
	jq -c --argjson round "$1" --arg mode "$2" '{round: $round, switch: $mode, disturbed: false,
		point: "rogue"} + (
			{metric: "frames", value: (.frames / .seconds / 1e6), unit: "Mpps", better: "higher"},
			{metric: "breaks", value: (.breaks / .seconds), unit: "1/s", better: "higher"})' \
		"$SW_WORK/rogue" >>"$output/samples.jsonl"
}

# Its limits are what held it back.
was_held_back() {
	"$build/switch/vswctl" -r "$SW_WORK/run" -j show ports p3 |
		jq -e '.ports[0].drops_in.StormLimit > 0' >/dev/null ||
		sw_die "the storm met no limit"
}

measure() {
	local round i
	find_half
	for ((round = 1; round <= rounds; round++)); do
		for ((i = 0; i < ${#modes[@]}; i++)); do
			trial "$round" "${modes[(round + i) % ${#modes[@]}]}"
		done
		sw_say "round $round of $rounds"
	done
	was_held_back
}

# --- results -------------------------------------------------------------------------------

# Medians of the samples, of those that were not disturbed if there are any.
summarize() {
	jq -s --argjson tolerance "$tolerance" --argjson half "$half" '
		def median: sort | if length == 0 then null
			elif length % 2 == 1 then .[length / 2 | floor]
			else (.[length / 2 - 1] + .[length / 2]) / 2 end;
		def of($mode; $point; $metric): map(select(.switch == $mode and .point == $point and
			.metric == $metric)) | (map(select(.disturbed | not)) | if length > 0 then . else null end)
			// . | map(.value) | median;
		. as $all | ["silent", "storm", "stations", "breaks"] | map(. as $mode | $all | {
			rogue: $mode,
			rogue_mpps: of($mode; "rogue"; "frames"), rogue_breaks: of($mode; "rogue"; "breaks"),
			full_mpps: of($mode; "full"; "rate"),
			full_ratio: (of($mode; "full"; "rate") / of("silent"; "full"; "rate")),
			half_loss_pct: of($mode; "half"; "loss"), half_p50_us: of($mode; "half"; "p50"),
			half_p99_us: of($mode; "half"; "p99"),
			disturbed_pct: (map(select(.switch == $mode and .point != "rogue") | .disturbed) |
				100 * (map(select(.)) | length) / length)}) |
		{half_mpps: ($half / 1e6), neighbours: .,
			noisy: ((map(.disturbed_pct) | max > 50) or .[0].half_loss_pct > 100 * $tolerance),
			good: (.[0].half_loss_pct as $alone |
				all(.half_loss_pct <= $alone + 100 * $tolerance))}' \
		"$output/samples.jsonl" >"$output/results.json"
}

print_table() {
	printf '\nGuests 1 and 2, %s bytes, both ways; half load: %.2f Mpps. Medians of %d rounds.\n\n' \
		"$size" "$(jq .half_mpps "$output/results.json")" "$rounds"
	printf '%-10s %11s %9s | %10s %7s | %9s %10s %10s | %9s\n' "" "rogue" "breaks" "full load" \
		"of" "half load" "median" "p99" "disturbed"
	printf '%-10s %11s %9s | %10s %7s | %9s %10s %10s | %9s\n' "rogue" "Mpps" "1/s" "Mpps" \
		"silent" "lost, %" "us" "us" "trials, %"
	jq -r '.neighbours[] | [.rogue, .rogue_mpps, .rogue_breaks, .full_mpps, .full_ratio,
		.half_loss_pct, .half_p50_us, .half_p99_us, .disturbed_pct] | @tsv' "$output/results.json" |
		while IFS=$'\t' read -r mode mpps breaks full ratio loss p50 p99 disturbed; do
			printf '%-10s %11.3f %9.1f | %10.2f %7.2f | %9.3f %10.1f %10.1f | %9.0f\n' "$mode" \
				"$mpps" "$breaks" "$full" "$ratio" "$loss" "$p50" "$p99" "$disturbed"
		done
}

# Judges what there is; the exit code.
results() {
	summarize
	if [[ $json ]]; then
		cat "$output/results.json"
	else
		print_table
		jq -r --arg tolerance "$tolerance" '
			if .noisy then "There is too much noise to say whether a neighbour costs the others anything."
			elif .good then "At half load no neighbour costs the others anything."
			else "At half load a neighbour costs the others more than \($tolerance) of their frames." end' \
			"$output/results.json"
	fi
	! jq -e .noisy "$output/results.json" >/dev/null || return 3
	jq -e .good "$output/results.json" >/dev/null
}

main() {
	parse "$@"
	check_programs
	switches_own_world "$0" "${arguments[@]}"
	switches_measure "$build" "$output" start_ports measure results
}

main "$@"
