#!/usr/bin/env bash
# Dynamic VMQ: at rest all receive queues are on the home proc; under load some move to the other,
# with no frame late or lost for it; when it is quiet they come home. Static switches and pinned
# queues stay as they are.
source "$(dirname "$0")/lib.sh"

(($(nproc) >= 2)) || { echo "two procs need two cores"; exit 77; }
vswbench=$build/bench/vswbench

where_are() { ctl -j vmq show s | jq -c '[.queues[] | .proc] | unique'; }
moved() { ctl -j vmq moves | jq "[.moves[] | select(.reason == \"$1\")] | length"; }
home() { [[ $(where_are) == '[0]' ]]; }

# load NAME...: guests at the ports send each to each, checked frame by frame, for three seconds.
load() {
	local name guests=()
	for name in "$@"; do
		guests+=(--guest "$T/$name.sock")
	done
	timeout -k 5 60 "$vswbench" rate --mesh --verify --no-ceiling --warm-up 0.1 --seconds 3 \
		--timeout 20 "${guests[@]}" -j >"$T/out.json" 2>"$T/bench.log" ||
		fail "vswbench: $(<"$T/bench.log")"
	jq -e '.ok and (.result | .checked > 0 and .bad == 0 and .late == 0 and .foreign == 0)' \
		"$T/out.json" >/dev/null || fail "frames: $(jq -c .result "$T/out.json")"
}

start --procs 0,1
ctl switch add s private >/dev/null
for n in 0 1 2 3; do
	ctl port add "p$n" switch s vhost "$T/p$n.sock" server >/dev/null
done

# What costs a proc its time: six TAPs get a copy of every frame.
for tap in m0 m1 m2 m3 m4 m5; do
	machine "$tap" s "10.1.0.${#tap}${tap#m}/24"
	ctl port set "$tap" mirror destination
done
for n in 0 1 2 3; do
	ctl port set "p$n" mirror source
done
equal "$(where_are)" '[0]' "procs in use at rest"
load p0 p1 p2 p3
(($(moved overload) > 0)) || fail "under load all stayed: $(ctl vmq show)"
ctl -j vmq moves | jq -e '[.moves[] | select(.reason == "overload") | .from_load > 60 and
	.from != .to and (.port | test("^[pm][0-5]$"))] | all' >/dev/null ||
	fail "moves: $(ctl vmq moves)"
"$vswsh" -p "$pid" vmq >"$T/vswsh" || fail "vswsh vmq: $(<"$T/vswsh")"
grep -q 'overload' "$T/vswsh" || fail "vswsh shows no move: $(<"$T/vswsh")"
until_true 30 home || fail "they do not come home: $(ctl vmq show; ctl vmq moves)"
(($(moved coalesce) > 0)) || fail "nothing says that they came home: $(ctl vmq moves)"
equal "$(ctl -j show drops | jq -c '[.drops[] | select(.reason != "Resources" and .reason != "Busy" and .reason != "NotReady")]')" \
	'[]' "other drops"

# --- who stays ---------------------------------------------------------------------------------------

before=$(ctl -j vmq moves | jq .moves_so_far)
ctl switch set s vmq-scheduling static
ctl save | grep -q 'vmq-scheduling static' || fail "it is not saved: $(ctl save)"
load p0 p1
equal "$(ctl -j vmq moves | jq .moves_so_far)" "$before" "moves of a static switch"
ctl switch set s vmq-scheduling dynamic
for port in p{0..3} m{0..5}; do
	ctl vmq pin "$port" 0
done
load p0 p1
equal "$(ctl -j vmq moves | jq .moves_so_far)" "$before" "moves of pinned queues"
equal "$(where_are)" '[0]' "procs in use by pinned queues"

! ctl switch set s vmq-scheduling often >"$T/refused" 2>&1 || fail "'often' is a scheduling"
grep -q "'often' is neither dynamic nor static" "$T/refused" || fail "it says: $(<"$T/refused")"
! ctl vmq moves s >"$T/refused" 2>&1 || fail "vmq moves takes a word"
finish
