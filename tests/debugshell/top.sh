#!/usr/bin/env bash
# top looks at a vswd that forwards between two VMs and drops what a host sends: as text, as
# JSON, and at a terminal.
#
#      vm1 ----> vswitch s ----> vm2
#       t  ----X
source "$(dirname "$0")/../functional/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

# guest NAME MAC OPTION...
guest() {
	"$build/tests/guest/vguest" --socket "$RUN/$1.sock" --mac "$2" --timeout 600 \
		"${@:3}" >"$T/$1.log" 2>&1 &
	disown
}

# top OPTION...: what it says, which must be without complaint.
top() { timeout 60 "$vswsh" -p "$pid" top "$@" 2>&1 || fail "top $*: $(timeout 60 "$vswsh" -p "$pid" top "$@" 2>&1)"; }
json() { timeout 60 "$vswsh" -p "$pid" -j top "$@" || fail "-j top $*"; }

start
ctl switch add s internal >/dev/null
ctl port add vm1 switch s vhost vm1.sock server >/dev/null
ctl port add vm2 switch s vhost vm2.sock server >/dev/null
ctl port add t switch s tap t-t >/dev/null
ip link set t-t up
guest vm2 02:00:00:00:00:02 --expect 1000000000 --reconnect
guest vm1 02:00:00:00:00:01 --to 02:00:00:00:00:02 --send 1000000000 --rate 20000 --size 64-1500
reserved() {
	while [[ -e $T/sending ]]; do
		frame 01:80:c2:00:00:0e 02:00:00:00:00:55 | send host t-t
	done
}
touch "$T/sending"
reserved &
sender=$!

# As text: one report, of the time that was asked for.
flows() { top -d 0.2 | grep -qE '^    vm1  *Synthetic  *Connected  *[1-9]'; }
until_true 10 flows || fail "vm1's frames are not shown: $(top)"
drops_shown() { top -d 0.5 | grep -qE '^    t  .*  *[1-9][0-9.]*  *0  *In BridgeReserved$'; }
until_true 10 drops_shown || fail "t's drops are not shown: $(top)"
top -d 0.5 >"$T/out"
for row in '    State  *runs' '    In  *[1-9][0-9.]* frames/s, [0-9.]* Mbit/s' \
	'    Dropped  *[1-9][0-9.]* frames/s' '    In  *[1-9][0-9.]*  *BridgeReserved  *destination ' \
	'    0  *[0-9]  *[a-z ]*  [0-9.]*  *[1-9][0-9.]*  *[1-9]' \
	'    vm1  *rx  *0  *0  *[1-9][0-9.]*  *[1-9][0-9]*  ' \
	'    vm2  *tx  *0  *-  *-  *[1-9][0-9]*  '; do
	grep -qE "^$row" "$T/out" || fail "no '$row' in: $(cat "$T/out")"
done
[[ $(top -d 0.1 -n 3 | grep -c '^PORTS$') == 3 ]] || fail "not three reports"

# JSON: the same, as numbers; each report is a text of its own.
json -d 0.5 >"$T/out"
[[ $(jq -s length "$T/out") == 1 ]] || fail "one report is not one text: $(cat "$T/out")"
for test in '.command == "top -d 0.5"' '.state == "runs"' '.counted_for_s >= 0.5' '.vswd.pid > 0' \
	'.in.frames_per_s > 0 and .in.mbit_per_s > 0 and .dropped.frames_per_s > 0' \
	'.ports[] | select(.name == "vm1") | .rx_frames_per_s > 0 and .rx_mbit_per_s > 0' \
	'.ports[] | select(.name == "t") | .chief_reason == "In BridgeReserved" and .drops_in_per_s > 0' \
	'.ports[] | select(.name == "s:default") | .nic_state == null and .chief_reason == null' \
	'.procs[0] | .busy_percent > 0 and .busy_percent <= 100 and .receive_queues == 4' \
	'.queues[] | select(.name == "vm1" and .direction == "rx") | .chains_per_s > 0 and .proc == 0' \
	'.queues[] | select(.name == "t" and .direction == "rx") | .chains_per_s == null' \
	'.drops[] | select(.reason == "BridgeReserved") | .direction == "In" and .frames_per_s > 0'; do
	jq -e "$test" "$T/out" >/dev/null || fail "not $test: $(cat "$T/out")"
done
[[ $(json -d 0.1 -n 3 | jq -c '.command' | grep -c '^"top -d 0.1 -n 3"$') == 3 ]] ||
	fail "three reports are not three texts"

# A port that comes has no rates, one that goes is no damage.
churn() {
	while [[ -e $T/churning ]]; do
		ctl port add new switch s tap t-new >/dev/null
		ctl port remove new >/dev/null
	done
}
touch "$T/churning"
churn &
churner=$!
top -d 0.1 -n 20 >"$T/out"
! grep -E '^vswsh: |Damaged' "$T/out" || fail "ports that come and go: $(cat "$T/out")"
grep -q '^    new ' "$T/out" || fail "no port came: $(cat "$T/out")"
rm "$T/churning"
wait "$churner" || fail "the churning failed"

# Stopped in the middle of it, it says so instead of zeros. What reports() reads must be new.
rm "$T/out"
timeout 60 "$vswsh" -p "$pid" top -d 0.2 -n 1000 >"$T/out" 2>&1 &
shell=$!
reports() { [[ $(grep -scx PORTS "$T/out" || :) -ge 2 ]]; }
until_true 10 reports || fail "no reports: $(cat "$T/out")"
kill -STOP "$pid"
says_stopped() {
	sed -n '/^    State  *stopped by a signal or a debugger$/,/^DROPS$/p' "$T/out" >"$T/stopped"
	grep -qx DROPS "$T/stopped"
}
stopped=true
until_true 10 says_stopped || stopped=false
kill -CONT "$pid" # first of all: what tells of a failure asks it
kill "$shell" || fail "top ended beside a process that is stopped: $(cat "$T/out")"
$stopped || fail "it does not say that it is stopped: $(cat "$T/out")"
grep -qE '^    vm2  *Synthetic  *Connected  *-  ' "$T/stopped" ||
	fail "what is stopped has rates: $(cat "$T/stopped")"

command -v python3 >/dev/null || { echo "no python3: the screen is not tested"; exit 77; }
disown "$pid" # it ends by force there
timeout 300 python3 "$here/top.py" "$vswsh" "$pid" || fail "top at a terminal"
pid=
rm "$T/sending"
wait "$sender" 2>/dev/null || :
finish
