#!/usr/bin/env bash
# bench/compare, briefly: all files of a comparison are there and in order, what is absent is said,
# wrong usage is refused, Ctrl-C leaves nothing behind, and the gate builds and judges revisions.
# How fast anything is, is not asked here.
source "$(dirname "$0")/lib.sh"

command -v setpriv git >/dev/null || exit 77
(($(nproc) > 1)) || exit 77

source_dir=${VSW_SOURCE:-$tests/..}
compare=$source_dir/bench/compare
pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
pages_before=$(cat "$pages")
export TMPDIR=$T/tmp
mkdir "$TMPDIR"

# run STATUS ARGUMENT...: its output is then in $T/out.
run() {
	local wanted=$1
	shift
	ended=0
	"$compare" -b "$build" --budget 6 "$@" >"$T/out" 2>&1 </dev/null || ended=$?
	[[ $ended == "$wanted" ]] ||
		fail "compare $*: ended with $ended, expected $wanted: $(tail -n 60 "$T/out")"
}

says() { grep -q -e "$1" "$T/out" || fail "compare does not say '$1': $(cat "$T/out")"; }

refuses() {
	local words=$1
	shift
	run 2 "$@"
	says "$words"
}

no_process() { ! ps -e -o comm= | grep -qE 'vswd|ovs|testpmd|vswbench|tapbench'; }

# Nothing of a run is left.
clean() {
	until_true 5 no_process || fail "processes are left: $(ps ax)"
	equal "$(cat "$pages")" "$pages_before" "hugepages"
	equal "$(find /sys/class/net -mindepth 1 ! -name lo)" "" "network devices"
	equal "$(find "$TMPDIR" -mindepth 1)" "" "files"
	! grep vsw-bench /proc/self/mounts || fail "a mount is left"
}

# --- wrong usage -----------------------------------------------------------------------------

refuses "either two revisions" one
refuses "64 to 9000 bytes" -p 63
refuses "is no point" -p 64,tuch
refuses "nothing to add" -p tap,64,touch
refuses "no number of rounds" -n 0
refuses "there is no switch 'vsx'" -s vsx
refuses "unrecognized" --wrong
run 0 --help
says "OLD NEW"
clean

# --- the machines on TAPs alone --------------------------------------------------------------

# tapbench_ends STATUS WORDS ARGUMENT...
tapbench_ends() {
	local wanted=$1 words=$2
	shift 2
	ended=0
	"$build/bench/tapbench" "$@" >"$T/out" 2>&1 || ended=$?
	equal "$ended" "$wanted" "what tapbench $* ends with"
	says "$words"
}

tapbench_ends 0 "usage" --help
tapbench_ends 2 "two ENDs" tap:x0
tapbench_ends 2 "wrong or superfluous 'nic:x1'" tap:x0 nic:x1
tapbench_ends 2 "wrong value '63'" --size 63 tap:x0 tap:x1
tapbench_ends 2 "no such core" --core 1000 tap:x0 tap:x1
tapbench_ends 3 "x1: No such device" tap:x0 host:x1
tapbench_ends 3 "no frame came through" --timeout 0.2 tap:x0 tap:x1
clean

# --- vsw beside what is installed ------------------------------------------------------------

run 0 -n 1 -t 0.1 -o "$T/all" -p 64 -p tap,64
for file in samples.jsonl results.csv results.json report.md; do
	[[ -s $T/all/$file ]] || fail "$file is missing"
done
jq -es 'all(.round == 1 and (.value | type) == "number" and .unit == "Mpps")' \
	"$T/all/samples.jsonl" >/dev/null || fail "samples: $(cat "$T/all/samples.jsonl")"
for name in vsw generator vsw-nic vsw-tap; do
	jq -e --arg name $name '.statistics | any(.switch == $name and .median >= 0)' \
		"$T/all/results.json" >/dev/null || fail "there are no results of $name"
	grep -q "$name" "$T/all/report.md" || fail "the report does not name $name"
done
jq -e '.facts.machine.kernel and .facts.versions.vsw and .facts.rounds == 1' \
	"$T/all/results.json" >/dev/null || fail "facts: $(jq .facts "$T/all/results.json")"
says "$T/all/report.md"
clean
refuses "has results already" -n 1 -t 0.1 -o "$T/all" -p 64

# --- absent peers, and latency without them --------------------------------------------------

for file in /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk /usr/bin/dpdk-testpmd /usr/bin/gnuplot; do
	[[ ! -e $file ]] || mount --bind /dev/null "$(readlink -f $file)"
done
run 0 -n 1 -t 0.1 -o "$T/alone" -p latency,64 -s "vsw ovs testpmd"
says "ovs is left out.*apt-get install openvswitch-switch-dpdk"
says "testpmd is left out.*apt-get install dpdk"
says "there are no plots.*apt-get install gnuplot-nox"
jq -es '[.[] | select(.metric == "latency_p50" and .switch == "vsw") | .load_pct] |
	contains([10, 50, 90])' "$T/alone/samples.jsonl" >/dev/null ||
	fail "latency: $(cat "$T/alone/samples.jsonl")"
refuses "no switch is left" -o "$T/none" -p 64 -s ovs

# --- Ctrl-C, as a terminal sends it ----------------------------------------------------------

setsid env --default-signal=INT "$compare" -b "$build" -n 9 -t 5 -o "$T/cut" -s vsw -p 64 \
	>"$T/out" 2>&1 </dev/null &
pid=$!
polls() { pgrep -x vswd >/dev/null && pgrep -x vswbench >/dev/null; }
until_true 30 polls || fail "no switch was started: $(cat "$T/out")"
kill -INT -- -$pid
ended=0
wait $pid || ended=$?
pid=
equal "$ended" 130 "what Ctrl-C ends with"
clean

# --- looking at a switch under load -----------------------------------------------------------

if command -v python3 >/dev/null; then
	ended=0
	"$source_dir/bench/inspect.sh" -b "$build" -n 100 -r 2 -o "$T/looks" >"$T/out" 2>&1 </dev/null ||
		ended=$?
	equal "$ended" 3 "what two pairs end with: $(cat "$T/out")"
	says "more are needed"
	says "100 inspections by .* commands, .* lines: 0 make no sense"
	jq -e '.sums.inspections == 100 and (.statistics | length) == 6' "$T/looks/results.json" \
		>/dev/null || fail "results: $(cat "$T/looks/results.json")"
	clean
	ended=0
	"$source_dir/bench/inspect.sh" -b "$build" -n 1 -r 2 >"$T/out" 2>&1 || ended=$?
	equal "$ended" 2 "what wrong usage ends with"
	says "each round makes an inspection"
fi

# --- the gate --------------------------------------------------------------------------------

run 3 -o "$T/same" --no-build -n 2 -t 0.1 -p 64 . .
says "more are needed"
clean

# A revision that is slower for sure, since it is compiled without optimization. On a machine that
# is busy otherwise, that it cannot say is right, too.
mkdir "$T/slow"
tar -C "$source_dir" -c --exclude='./build*' --exclude=./.git . | tar -x -C "$T/slow"
sed -i "/^cc = meson/a add_project_arguments('-O0', language: 'c')" "$T/slow/meson.build"
git -C "$T/slow" init -q
git -C "$T/slow" add -A
git -C "$T/slow" -c user.name=test -c user.email=test@localhost commit -q -m "slow"
ended=0
"$compare" -b "$build" -o "$T/slower" --no-build --repo "$T/slow" --cache "$T/cache" -n 6 -t 0.1 \
	--budget 30 -p 64 . HEAD >"$T/out" 2>&1 </dev/null || ended=$?
if ((ended == 3)) && grep -qe 'disturbed' -e 'the time is up' "$T/out"; then
	says "more are needed"
else
	equal "$ended" 1 "what the gate says of a slow revision: $(cat "$T/out")"
	says "new is slower"
fi
says "(slow)"
clean
refuses "no revision" -o "$T/nothing" --no-build --repo "$T/slow" --cache "$T/cache" . nonesuch
finish
