#!/usr/bin/env bash
# Does it cost a switch anything to be looked at, and does what vswsh prints of it make sense?
#
#   bench/inspect.sh [OPTION...]
#
#   -n, --inspections N  vswsh commands of a switch under full load (10000)
#   -r, --rounds N       each looks, gives the same commands to vswsh on a dump, and does nothing (20)
#   -s, --size BYTES     of a frame, or imix (64)
#   -o, --output DIR     where samples, results and nonsense go
#   -b, --build DIR      the build, with vswsh and vswbench in it
#       --tolerance PART what is too little to matter (0.02)
#   -j, --json           results as JSON instead of text
#   -h, --help           this
#
# vswd polls one core, guests and vswsh share another one; the guests' rings are so deep that the
# switch is busy while vswsh has that core. What is judged are the proc's own figures, in pairs of
# looked at (inspected) and of the same work without (control). Exit codes: 0 it costs nothing and
# all makes sense; 1 it does not; 2 wrong usage, or something does not work; 3 too much noise to
# say; 130 Ctrl-C. Needs root. Nothing is left behind.
set -euo pipefail

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
arguments=("$@")
inspections=10000 rounds=20 size=64 output='' tolerance=0.02 json=''
build=${VSW_BUILD:-$top/build}
ring=32768 # descriptors: the work of some milliseconds
macs=100   # of each guest
polite=10  # vswsh's nice value: the guests need their core more

# shellcheck source=bench/switches.sh
source "$top/bench/switches.sh"

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }

parse() {
	local options
	options=$(getopt -n inspect.sh -o n:r:s:o:b:jh \
		-l inspections:,rounds:,size:,output:,build:,tolerance:,json,help -- "$@") || exit 2
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
	((inspections >= rounds)) || sw_die "each round makes an inspection at least"
	output=${output:-$build/bench-results/inspect-$(date +%Y-%m-%d-%H%M%S)}
}

parse_value() {
	case $1 in
	-n | --inspections) inspections=$2; [[ $2 =~ ^[1-9][0-9]*$ ]] || sw_die "$1: '$2' is no number" ;;
	-r | --rounds) rounds=$2; [[ $2 =~ ^[1-9][0-9]*$ ]] || sw_die "$1: '$2' is no number" ;;
	-s | --size) size=$2; [[ $2 == imix || $2 =~ ^[1-9][0-9]{1,3}$ ]] || sw_die "$1: '$2' is no size" ;;
	-o | --output) output=$2 ;;
	-b | --build) build=$(readlink -f "$2") || sw_die "there is no directory '$2'" ;;
	--tolerance) tolerance=$2; [[ $2 =~ ^0?\.[0-9]+$ || $2 == 0 ]] || sw_die "$1: '$2' is not a part like 0.02" ;;
	esac
}

check_programs() {
	local program
	((EUID == 0)) || sw_die "must be root: it reads another process and makes a network namespace"
	for program in python3 jq ip taskset setpriv flock; do
		sw_has "$program" || sw_die "'$program' is missing; ./lab bench inspect installs what is needed"
	done
	for program in switch/vswd switch/vswctl debugshell/vswsh bench/vswbench bench/benchstat; do
		[[ -x $build/$program ]] || sw_die "$build/$program is not built; -b names another build"
	done
}

# The switch, its two guests, and beside them what there is to be seen besides.
start_traffic() {
	local guest=(--core "$SW_GUEST_CORE" --client)
	start_switch vsw
	vswd=${sw_watch[0]}
	sw_ctl port add idle switch s vhost "$SW_WORK/idle.sock" server
	sw_ctl switch add quiet private
	[[ -z $SW_HUGE ]] || guest+=(--huge)
	sw_spawn "$build/bench/vswbench" rate --static --macs "$macs" --ring "$ring" --size "$size" \
		--no-ceiling --seconds 24h "${guest[@]}" --guest "${sw_guests[0]}" \
		--guest "${sw_guests[1]}" --watch "$vswd"
	sw_wait_for knows_all
}

knows_all() { "$build/debugshell/vswsh" -p "$vswd" fdb s | grep -q "^    Stations  *$((2 * macs)) of"; }

look() {
	local frame=$size status=0
	[[ $size != imix ]] || frame=0
	"$build/debugshell/vswsh" -p "$vswd" dump "$SW_WORK/core" >>"$sw_log" 2>&1 ||
		sw_die "no core can be taken: $(tail -n 1 "$sw_log")"
	taskset -c "$SW_OTHER_CORE" nice -n "$polite" python3 -B "$top/bench/inspect_run.py" \
		--vswsh "$build/debugshell/vswsh" --pid "$vswd" --core "$SW_WORK/core" \
		--samples "$output/samples.jsonl" --nonsense "$output/nonsense" --point "$size" \
		--frame "$frame" --macs '02-67-0[01]-00-00-..' --count "$inspections" \
		--rounds "$rounds" >"$output/sums.json" 9>&- &
	sw_tool=$!
	wait "$sw_tool" || status=$?
	sw_tool=''
	((status == 0)) || sw_die "the inspections ended early: $(tail -n 5 "$sw_log")"
}

# Judges what there is; the exit code.
results() {
	local status=0
	"$build/bench/benchstat" compare --old control --new inspected --tolerance "$tolerance" \
		"$output/samples.jsonl" >"$output/verdict" || status=$?
	"$build/bench/benchstat" json --base inspected "$output/samples.jsonl" |
		jq --slurpfile sums "$output/sums.json" --argjson status "$status" --rawfile said "$output/verdict" \
			'{sums: $sums[0], statistics: .cells, status: $status, verdict: ($said | split("\n"))}' \
			>"$output/results.json"
	if [[ $json ]]; then
		cat "$output/results.json"
	else
		"$build/bench/benchstat" table --base inspected --metric rate "$output/samples.jsonl"
		"$build/bench/benchstat" table --base inspected --metric cycles "$output/samples.jsonl"
		cat "$output/verdict"
		jq -r '"\(.inspections) inspections by \(.commands) commands, \(.lines) lines: " +
			"\(.nonsense) make no sense.\nThe proc had frames in its hands in " +
			"\(.with_frames) of \(.looks_at_procs) looks; \(.torn) rings and frames changed " +
			"while they were read, and are marked so.\nAsking took " +
			(.asking_cpu_s | "\(.inspected) s of CPU time, asking the core \(.control) s.")' \
			"$output/sums.json"
		head -n 20 "$output/nonsense"
	fi
	[[ ! -s $output/nonsense ]] || return 1
	return "$status"
}

main() {
	parse "$@"
	check_programs
	switches_own_world "$0" "${arguments[@]}"
	switches_measure "$build" "$output" start_traffic look results
}

main "$@"
