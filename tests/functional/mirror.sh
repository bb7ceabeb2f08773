#!/usr/bin/env bash
# Port mirroring: what a source sends and receives is seen by a TAP and by a live capture, once,
# with its VLAN's tag; nothing else is, and originals do not suffer.
#
#   a b c ---[ private switch s ]--- watch, a live capture
source "$(dirname "$0")/lib.sh"

all=ff:ff:ff:ff:ff:ff
A=02:00:00:00:00:0a B=02:00:00:00:00:0b C=02:00:00:00:00:0c

start
ctl switch add s private >/dev/null
n=1
for m in a b c; do
	machine "$m" s "10.1.0.$n/24"
	ip -n "$m" link set eth0 arp off
	n=$((n + 1))
done
ctl port set a vlan access 5
ctl port set b vlan access 5
frame "$all" $A | send a eth0
frame "$all" $B | send b eth0
frame "$all" $C | send c eth0
settles a "where A is" station $A s
settles b "where B is" station $B s
settles c "where C is" station $C s

ctl port set a mirror source
ctl port set b mirror source
"$vswctl" -r "$RUN" port add watch switch s pcap tx - mirror destination session 1 \
	>"$T/watch.pcap" 2>"$T/watch.log" &
watch=$!
is_there() { ctl show ports watch >/dev/null 2>&1; }
until_true 5 is_there || fail "the capture: $(cat "$T/watch.log")"

arrived=$(counter b tx_frames)
frame $B $A 88b5 60 | send a eth0  # both ends are sources: one copy
frame $B $A 88b5 999 | send a eth0
frame $A $B 88b5 100 | send b eth0
frame "$all" $C 88b5 200 | send c eth0 # another VLAN: neither source hears it
settles $((arrived + 2)) "frames to b" counter b tx_frames
settles 3 "copies" counter watch tx_frames
equal "$("$vswsh" -r "$RUN" vswitch s | grep -c ' Source ')" 2 "sources"
equal "$("$vswsh" -r "$RUN" vswitch s | grep -c ' Destination ')" 1 "destinations"
kill "$watch"
wait "$watch" 2>/dev/null || :
no_port() { ! ctl show ports watch >/dev/null 2>&1; }
until_true 5 no_port || fail "the capture's port is still there"
equal "$(from_pcap "$T/watch.pcap" | cut -c 1-36 | paste -sd' ')" \
	"$(for f in "$B$A" "$B$A" "$A$B"; do echo "${f//:/}8100000588b5"; done | cut -c 1-36 | paste -sd' ')" \
	"what was captured"
equal "$(from_pcap "$T/watch.pcap" | awk '{ print length($0) / 2 }' | paste -sd' ')" "64 1003 104" "sizes"

# A TAP that is set and unset under way; sessions are apart.
ctl port set c mirror destination session 2
copies=$(counter c tx_frames)
frame $B $A | send a eth0
settles $((arrived + 3)) "frames to b" counter b tx_frames
ctl port set a mirror source session 2
frame $B $A | send a eth0
settles $((copies + 1)) "copies to c" counter c tx_frames
ctl port set c mirror none
frame $B $A | send a eth0
settles $((arrived + 5)) "frames to b" counter b tx_frames
equal "$(counter c tx_frames)" $((copies + 1)) "copies after the end"

# A destination that takes nothing costs the originals nothing.
ctl port set c mirror destination session 2
ip -n c link set eth0 down
frame $B $A | send a eth0
settles $((arrived + 6)) "frames to b" counter b tx_frames
saved=$(ctl save)
stop KILL
start
equal "$(ctl save)" "$saved" "what is saved"
[[ $saved == *"mirror destination session 2"* ]] || fail "not saved: $saved"
ctl port remove c
frame $B $A | send a eth0
settles 1 "frames from a, whose copies go nowhere" counter a rx_frames
finish
