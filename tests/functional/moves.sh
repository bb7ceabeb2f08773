#!/usr/bin/env bash
# Receive queues move from proc to proc, and procs come and go, while frames pass: none is lost for
# it, none comes late, and every one is counted. Pins are kept; what cannot be is refused.
source "$(dirname "$0")/lib.sh"

(($(nproc) >= 2)) || { echo "two procs need two cores"; exit 77; }
vswbench=$build/bench/vswbench
queues=(p0 p1 p2 p3 a b x s:internal)

procs() { ctl -j proc show | jq -c "[.procs[] | $1]"; }
queue() { ctl -j vmq show "$1" | jq -r ".queues[0] | $2"; }
sum() { ctl -j show ports | jq "[.ports[] | select(.name | test(\"$1\")) | $2] | add"; }

# refused WHY WORD...: a command that fails and says why.
refused() {
	local why=$1 code=0
	shift
	ctl "$@" >"$T/refused" 2>&1 || code=$?
	((code == 1)) || fail "'$*' ended with $code"
	grep -q -- "$why" "$T/refused" || fail "'$*' says: $(<"$T/refused")"
}

# Commands that put every queue on one core and the other, and replace one proc and the other.
moves() {
	local i port
	for ((i = 0; i < 20; i++)); do
		for port in "${queues[@]}"; do
			echo "vmq pin $port $(((i + ${#port} + RANDOM) % 2))"
		done
		echo "proc remove $((i % 2))"
		echo "proc add $((i % 2))"
	done
	for port in "${queues[@]}"; do
		echo "vmq unpin $port"
	done
}

# churn PID: moves until the process has ended. In 'moved' is how often.
churn() {
	moves >"$T/moves"
	moved=0
	while kill -0 "$1" 2>/dev/null; do
		"$vswctl" -r "$RUN" -f "$T/moves" >/dev/null || fail "the moves themselves"
		moved=$((moved + 20))
	done
}

start --procs 0,1
ctl switch add s internal >/dev/null
for n in 0 1 2 3; do
	ctl port add "p$n" switch s vhost "$T/$n.sock" server >/dev/null
done
wire w0 10.1.0.4/24
ctl port add x switch s nic w0 >/dev/null
machine a s 10.1.0.1/24
machine b s 10.1.0.2/24
host s 10.1.0.10/24
equal "$(procs .core)" '[0,1]' "cores"
equal "$(ctl -j vmq show | jq '.queues | length')" ${#queues[@]} "queues"

# --- VMs: each to each, checked frame by frame -----------------------------------------------------

# Guests greet each other before all of their rings are there. What their own rings have no room for
# is dropped at any time, on a machine with so few cores.
timeout -k 5 60 "$vswbench" rate --mesh --verify --no-ceiling --warm-up 0.1 --seconds 2 \
	--timeout 20 --guest "$T/0.sock" --guest "$T/1.sock" --guest "$T/2.sock" \
	--guest "$T/3.sock" -j >"$T/out.json" 2>"$T/bench.log" &
bench=$!
churn $bench
wait $bench || fail "vswbench ended with $?"
((moved >= 20)) || fail "moved $moved times only"
jq -e '.ok and (.result | .checked > 0 and .bad == 0 and .late == 0 and .foreign == 0)' \
	"$T/out.json" >/dev/null || fail "frames: $(jq -c .result "$T/out.json")"
# A greeting goes to the three others.
accounted() {
	local rx tx drops
	rx=$(sum ^p ".rx_frames + 2 * .rx_flooded") tx=$(sum ^p .tx_frames)
	drops=$(sum ^p "([(.drops_in, .drops_out)[]] | add // 0)")
	echo $((rx - tx - drops))
}
settles 0 "frames of VMs that are not accounted for" accounted
equal "$(ctl -j show drops | jq -c '[.drops[] | select(.reason != "Resources" and .reason != "Busy" and .reason != "NotReady")]')" \
	'[]' "other drops"

# --- TAPs, a packet socket and the host: files over TCP -----------------------------------------

make_file "$T/www/file" 20
for to in a b wire host; do
	serve "$to" "$T/www"
done
fetchers=()
for pair in "a 10.1.0.2" "b 10.1.0.4" "wire 10.1.0.10" "host 10.1.0.1"; do
	read -r from to <<<"$pair"
	fetch "$from" "http://$to/file" "$T/www/file" &
	fetchers+=($!)
done
churn "${fetchers[0]}"
for fetcher in "${fetchers[@]}"; do
	wait "$fetcher" || fail "a transfer failed"
done
((moved >= 20)) || fail "moved $moved times only"

# --- who is where, and what is refused -------------------------------------------------------------

equal "$(procs .number)" '[0,1]' "numbers"
ctl vmq pin p0 1
equal "$(queue p0 '"\(.processor) \(.proc) \(.pinned_core) \(.is_pinned)"')" "0:1 1 1 true" "p0"
ctl vmq pin p0 0 0
equal "$(queue p0 .processor)" 0:0 "p0"
ctl port set p0 vlan access 7 vm web
equal "$(queue p0 '"\(.queue_id) \(.vlan) \(.vm)"')" "0 7 web" "p0's VM"
ctl vmq unpin p0 0
equal "$(queue p0 .pinned_core)" null "p0's pin"
equal "$(ctl -j proc remove 0 | jq -c .)" '{"number":0,"core":0}' "removed"
equal "$(procs '[.number,.core,.rxqs]')" "[[1,1,${#queues[@]}]]" "procs"
equal "$("$vswsh" -j -p "$pid" proc | jq -c '[.rows[].number]')" '[1]' "procs of vswsh"
equal "$("$vswsh" -j -p "$pid" vmq | jq -c '[.procs[] | [.number, .queues]]')" "[[1,${#queues[@]}]]" "queues of vswsh"
for command in where vnbl drops vnic "proc 1" top; do
	# shellcheck disable=SC2086 # words are words
	"$vswsh" -p "$pid" $command >"$T/vswsh" 2>&1 || fail "vswsh $command: $(<"$T/vswsh")"
	! grep -F '***' "$T/vswsh" || fail "vswsh $command sees damage where there is no proc 0"
done
"$vswsh" -p "$pid" dump "$T/dump" >"$T/vswsh" 2>&1 || fail "vswsh dump: $(<"$T/vswsh")"
equal "$("$vswsh" -j -z "$T/dump" proc | jq -c '[.rows[].number]')" '[1]' "procs of a dump"
! "$vswsh" -p "$pid" proc 0 >"$T/vswsh" 2>&1 || fail "vswsh found proc 0"
reachable a 10.1.0.2
refused "proc1 is the last proc" proc remove 1
refused "there is no proc 0; there is 1" proc remove 0
refused "no proc is on core 0, but on 1; .proc add 0. makes one" vmq pin p0 0
refused "core 1 is proc1's already" proc add 1
refused "core 999 is none that vswd may use: 0" proc add 999
refused "core 999 is none that vswd may use" vmq pin p0 999
refused "something is missing at the end: a core" proc add
refused "unknown 'ad'; did you mean 'add'?" proc ad 1
refused "a core: 'x' is not a number" proc add x
refused "'p0' has no queue 1; it has 1" vmq pin p0 1 1
refused "there is no switch and no port 'p9'" vmq pin p9 1
refused "'s' is a switch; ports have queues" vmq pin s 1
refused "'s:default' has no NIC" vmq unpin s:default
refused "vmq-pin: '0' is not a list" port set p0 vmq-pin 0
refused "queue 0 stands there twice" port set p0 vmq-pin 0:1,0:1
refused "has no queue 3" port set p0 vmq-pin 3:1
equal "$(ctl -j proc add 0 | jq -c .)" '{"number":0,"core":0}' "the free number"

# --- pins outlive the proc and the process -----------------------------------------------------------

ctl vmq pin p1 1
ctl port set p2 vmq-pin 0:1
ctl save | grep -q '^port set p1 vmq-pin 0:1$' || fail "saved: $(ctl save)"
ctl proc remove 1
grep -q "port 'p1': queue 0 is pinned to core 1, where no proc is" "$T/vswd.log" || fail "no warning"
equal "$(queue p1 '"\(.proc) \(.pinned_core) \(.is_pinned)"')" "0 1 false" "p1 without its core"
stop
: >"$T/vswd.log"
start --procs 0
grep -q "port 'p2': queue 0 is pinned to core 1, where no proc is" "$T/vswd.log" || fail "no warning"
equal "$(queue p1 '"\(.proc) \(.pinned_core)"')" "0 1" "p1 after a restart"
ctl proc add 1
equal "$(queue p1 .proc) $(queue p2 .proc)" "1 1" "pinned queues when their core is back"
finish
