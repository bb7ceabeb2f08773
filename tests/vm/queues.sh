#!/usr/bin/env bash
# A Linux VM with two queue pairs, which it switches on and off under traffic.
#
#   VM a (.1), two queues ---.
#                             [ internal s ]--- host: vsw-s (.10)
#   VM b (.2), one queue  ---'
source "$(dirname "$0")/lib.sh"

# The kernel takes several images one after another: here a program that busybox has not.
with_channels() {
	vm_image || fail "there is no VM image"
	mkdir -p "$T/extra/bin"
	"${CC:-cc}" -static -O2 -D_GNU_SOURCE -o "$T/extra/bin/channels" "$(dirname "$0")/channels.c" ||
		fail "the VM's tool cannot be built"
	(cd "$T/extra" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$T/extra.gz"
	cat "$vm_initrd" "$T/extra.gz" >"$T/initrd"
	vm_initrd=$T/initrd
}

# pairs PORT QUEUE FIELD
pairs() {
	ctl -j show ports "$1" | jq -r --argjson q "$2" --arg f "$3" '.ports[0].queue_pairs[$q][$f]'
}

with_channels
procs=(--procs "0,1")
(($(nproc) >= 2)) || procs=()
start "${procs[@]}"
ctl switch add s internal >/dev/null
ctl port add a switch s vhost a.sock queues 2 >/dev/null
ctl port add b switch s vhost b.sock >/dev/null
host s 10.1.0.10/24
if ((${#procs[@]} > 0)); then
	ctl vmq pin a 0 0 >/dev/null
	ctl vmq pin a 1 1 >/dev/null
	[[ $(pairs a 0 proc) != $(pairs a 1 proc) ]] || fail "both queues of a are on one proc"
fi
equal "$(counter a queues_used)" 0 "queues of a port without its VM"
VM_QUEUES=2 VM_CPUS=2 vm a 1
vm b 2
up a
up b
settles 2 "queue pairs of a that are on" counter a queues_used
equal "$(counter b queues_used)" 1 "queue pairs of b that are on"
equal "$(guest a 'channels eth0')" "2 of 2" "the queue pairs that a sees"
guest_reachable a 10.1.0.2
guest_reachable b 10.1.0.10

# Both ways: b fetches from a, a fetches from the host; each fetch is a flow.
make_file "$T/www/file" 4
sum=$(sum_of "$T/www/file")
serve host "$T/www"
guest a 'wget -q -O /www/file http://10.1.0.10/file' >/dev/null || fail "a cannot store the file"
forever='while [ ! -e /tmp/enough ]; do wget -q -O - http://%s/file | sha256sum >>/tmp/sums; done'
for m in a b; do
	[[ $m == a ]] && from=10.1.0.10 || from=10.1.0.1
	# shellcheck disable=SC2059 # the format is ours
	guest "$m" "($(printf "$forever" "$from")) >/dev/null 2>&1 &" >/dev/null ||
		fail "$m does not start to fetch"
done

sums() { guest "$1" "wc -l </tmp/sums" 20; }
moves_on() { (($(sums "$1") > $2)); }
both_move_on() {
	local was_a was_b
	was_a=$(sums a) was_b=$(sums b)
	until_true 60 moves_on a "$((was_a + 2))" || fail "a fetches no more $1"
	until_true 60 moves_on b "$((was_b + 2))" || fail "b fetches no more from a $1"
}
grew() { (($(pairs a 1 "$1") > $2)); }

both_move_on "with two queues"
for round in 1 2 3; do
	equal "$(guest a 'channels eth0 1')" "1 of 2" "the queue pairs of a, one switched off"
	settles 1 "queue pairs of a that are on, of which it switched one off" counter a queues_used
	sent=$(pairs a 1 tx_bursts)
	both_move_on "with one queue (round $round)"
	equal "$(pairs a 1 tx_bursts)" "$sent" "what was sent to the queue that is off"
	equal "$(guest a 'channels eth0 2')" "2 of 2" "the queue pairs of a, both on again"
	settles 2 "queue pairs of a that are on again" counter a queues_used
	received=$(pairs a 1 rx_bursts)
	both_move_on "with both queues again (round $round)"
	until_true 60 grew tx_bursts "$sent" || fail "nothing is sent to the second queue"
	until_true 60 grew rx_bursts "$received" || fail "nothing comes from the second queue"
done
for m in a b; do
	guest "$m" 'touch /tmp/enough' >/dev/null
done
for m in a b; do
	idle() { ! guest "$m" 'pidof wget' >/dev/null; }
	until_true 60 idle || fail "$m does not end its last fetch"
	equal "$(guest "$m" 'sort -u /tmp/sums' | cut -d' ' -f1)" "$sum" "the sums of what $m fetched"
done

# The debug shell shows the same; the queues are there after the switch's death.
address=$("$VSW_BUILD/debugshell/vswsh" -r "$RUN" vnic | awk '/a.sock/ { print $2 }')
equal "$("$VSW_BUILD/debugshell/vswsh" -r "$RUN" -j vnic "$address" |
	jq -c '[.objects[0].send_queues[].used]')" '[true,true]' "what vswsh shows of the queues"
stop KILL
start "${procs[@]}"
settles 2 "queue pairs of a after the switch's restart" counter a queues_used
guest_fetch b http://10.1.0.1/file "$sum"

# A VM that asks for more than its port has: its QEMU says how many there are, and waits for a
# port that has as many.
ctl port add c switch s vhost c.sock queues 2 >/dev/null
VM_QUEUES=4 vm c 3
told() { grep -q 'more queues than supported: 2' "$VM_DIR/c/qemu.log"; }
until_true 60 told || fail "QEMU said: $(cat "$VM_DIR/c/qemu.log")"
equal "$(counter c queues_used)" 0 "queues of a VM that asks for more than there are"
vm_stop c
vm_stop a
vm_stop b
finish
