#!/usr/bin/env bash
# A vswd that forwards between two VMs: where its proc is while frames flow, while there are none,
# and when it hangs in the middle of them; and its rings.
#
#      vm1 ----> vswitch s ----> vm2
source "$(dirname "$0")/../functional/lib.sh"

# guest NAME MAC OPTION...
guest() {
	"$build/tests/guest/vguest" --socket "$RUN/$1.sock" --mac "$2" --timeout 600 \
		"${@:3}" >"$T/$1.log" 2>&1 &
	guests+=($!)
	disown
}

# rows COMMAND...: what the shell says, which must be without complaint.
rows() { timeout 20 "$vswsh" -p "$pid" "$@" 2>&1 || fail "$*: $(timeout 20 "$vswsh" -p "$pid" "$@" 2>&1)"; }

# ring_to VM: the ring that the switch fills. address_of PORT.
ring_to() { rows ring "$1" | awk '/ to the guest / { print $2 }'; }
address_of() { rows vport | awk -v name="$1" '$NF == name { print $2 }'; }

# is STATE: of the proc. It sleeps between most bursts, and so is seldom found running.
is() { rows where | grep -qE "^PROC  [0-9a-f]{16}  0 +$1 "; }

start
source "$(dirname "$0")/hang.sh"
ctl switch add s internal >/dev/null
ctl port add vm1 switch s vhost vm1.sock server >/dev/null
ctl port add vm2 switch s vhost vm2.sock server >/dev/null
ctl port set vm2 mac 02:00:00:00:00:02 >/dev/null # it is known, though it says nothing
until_true 5 is asleep || fail "without VMs it does not sleep: $(rows where)"
rows where 0 | grep -qE '^    State +asleep$' || fail "a sleeping proc: $(rows where 0)"
rows ring | grep -qE '^RING  .* detached$' || fail "rings without VMs: $(rows ring)"

guests=()
guest vm2 02:00:00:00:00:02 --expect 1000000000 --reconnect
guest vm1 02:00:00:00:00:01 --to 02:00:00:00:00:02 --send 1000000000 --rate 20000 --size 64-1500
until_true 60 is running || fail "frames do not flow: $(rows where)"
rows where | grep -qE '^    Main thread +[0-9]+ \([A-Z]\), looked at the clock [0-9.]+ [a-z]+ ago$' ||
	fail "the main thread's clock: $(rows where)"
rows where >"$T/out"
grep -qE '^    [0-9]+ +[RSD] \([a-z ]+\) +proc0 +proc 0$' "$T/out" || fail "its thread: $(cat "$T/out")"

# The rings, by the addresses that are printed for them: what the guests gave is all good.
mapfile -t rings < <(rows vnic vm1 | sed -n 's/^    Ring  .*!nvkd.ring //p')
((${#rings[@]} >= 2)) || fail "the NIC prints no rings: $(rows vnic vm1)"
for ring in "${rings[@]}"; do
	rows "$ring" >"$T/out"
	grep -qE '^    State +attached$' "$T/out" || fail "$(cat "$T/out")"
	! grep -F '***' "$T/out" || fail "something is wrong in the ring: $(cat "$T/out")"
done
[[ $(rows ring vm1 | grep -c '^RING .* up$') == 2 ]] || fail "$(rows ring vm1)"
rows vnbl >/dev/null

# The guest that receives has given all of its buffers: they are outstanding.
outstanding() { rows ring vm2 | grep -qE '^RING .* to the guest +[0-9]+ +[0-9]+ +[1-9][0-9]* +vm2 '; }
until_true 5 outstanding || fail "$(rows ring vm2)"

# Stopped, it says where it stood, and the frames that it had then have headers.
kill -STOP "$pid"
stands() { [[ $(<"/proc/$pid/stat") == *") T "* ]]; }
until_true 5 stands || fail "it does not stop"
rows where | grep -qE '^PROC .* (\[Not told\]|idle|asleep) ' || fail "stopped: $(rows where)"
rows where | grep -q 'Judged by  *its breadcrumbs' || fail "stopped: $(rows where)"
kill -CONT "$pid"

# When something else has its core, it is starved, and not taken for stuck.
core=$(rows proc 0 | sed -n 's/^    Core  *\([0-9]*\).*/\1/p')
if (($(nproc) >= 2)) && chrt -f 50 true 2>/dev/null; then
	chrt -f 50 taskset -c "$core" timeout 10 sh -c 'while :; do :; done' &
	hog=$!
	disown
	until_true 5 is starved || fail "it has no core, but: $(rows where)"
	kill "$hog"
	until_true 60 is running || fail "it has its core again, but: $(rows where)"
fi

# Its proc hangs with frames that it is giving to vm2.
tid=$(rows proc 0 | sed -n 's/^    Thread  *\([0-9]*\).*/\1/p')
hang_at vring_tx "\$rdi == 0x$(ring_to vm2)"
until_true 5 loops "$tid" || fail "the proc does not hang"
until_true 10 is stuck || fail "it hangs, but: $(rows where)"
rows where 0 | grep -qE "^    Thread +$tid \(R\) on core" || fail "$(rows where 0)"
rows where 0 | grep -qE '^    Since +[0-9.]+ [a-z]+' || fail "$(rows where 0)"
vm2=$(address_of vm2)
frame=$(rows vnbl 0 | awk '/^VNBL / && !n++ { print $2 }')
rows vnbl 0 | grep -E '^VNBL ' | grep -vE "^VNBL .* $(address_of vm1) +at slot [0-9]+ +Ethernet$" &&
	fail "frames that are not at vm2: $(rows vnbl 0)"
rows vnbl "$frame" >"$T/out"
for row in "Source vPort +$(address_of vm1) .*" "NumDestinations +1" \
	"Destination +slot [0-9]+: $vm2   !nvkd.vport $vm2 \(vm2\), handed to it" \
	"0x[0-9a-f]{4} +0 +\[Not kept\] +N +N +$vm2 +handed to it +vm2"; do
	grep -qE "^    $row$" "$T/out" || fail "no '$row' in: $(cat "$T/out")"
done

# And so does its main thread.
hang vswd
late() { rows where | grep -qE '^    Main thread .* \*\*\* it should each second \*\*\*$'; }
until_true 15 late || fail "the main thread hangs, but: $(rows where)"
stop KILL
kill -KILL "${guests[@]}" 2>/dev/null || :

# Another one hangs while a flood goes round.
rm -r "$STATE"
start --procs 1
ctl switch add s private >/dev/null
ctl port add vm1 switch s vhost vm1.sock server >/dev/null
ctl port add t1 switch s tap t1 >/dev/null
ctl port add vm2 switch s vhost vm2.sock server >/dev/null
ctl port add t2 switch s tap t2 >/dev/null
ctl port set t1 vlan access 5 >/dev/null
guests=()
guest vm2 02:00:00:00:00:02 --expect 1000000000 --reconnect
guest vm1 02:00:00:00:00:01 --to ff:ff:ff:ff:ff:ff --send 1000000000 --rate 20000 --size 64
flows() { (($(counter t2 tx_frames) > 1000)); }
until_true 20 flows || fail "frames do not flow: $(rows where)"
hang_at vring_tx "\$rdi == 0x$(ring_to vm2)"
until_true 10 is stuck || fail "it hangs, but: $(rows where)"
frame=$(rows vnbl 0 | awk '/^VNBL / && !n++ { print $2 }')
rows vnbl "$frame" >"$T/out"
for row in "NumDestinations +3" "Destination +flood" "0x0002 .* $(address_of t1) +had its turn +t1" \
	"0x0003 .* $(address_of vm2) +has its turn +vm2" "0x0004 .* $(address_of t2) +to come +t2"; do
	grep -qE "^    $row$" "$T/out" || fail "no '$row' in: $(cat "$T/out")"
done
stop KILL
kill -KILL "${guests[@]}" 2>/dev/null || :
finish
