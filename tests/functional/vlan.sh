#!/usr/bin/env bash
# VLANs and private VLANs through a running switch: who reaches whom, with which tag, in which
# VLAN a station is known, and that all of it changes under way and survives a restart.
#
#   a b c d ---[ external switch s ]--- wire
source "$(dirname "$0")/lib.sh"

all=ff:ff:ff:ff:ff:ff
declare -A mac=([a]=02:00:00:00:00:0a [b]=02:00:00:00:00:0b [c]=02:00:00:00:00:0c
	[d]=02:00:00:00:00:0d [wire]=02:00:00:00:00:0e)
machines=(a b c d wire)

start
wire v0 10.1.0.99/24
ctl switch add s external nic v0 >/dev/null
n=1
for m in a b c d; do
	machine "$m" s "10.1.0.$n/24"
	n=$((n + 1))
done
# Only our own frames count.
for m in "${machines[@]}"; do
	ip -n "$m" link set eth0 address "${mac[$m]}" arp off
done

# listen: from now on, what arrives is written down.
listen() {
	local m
	for m in "${machines[@]}"; do
		here "$m" tcpdump -n -e -l -i eth0 -Q in ether proto 0x88b5 or vlan >"$T/$m.heard" 2>"$T/$m.tcpdump" &
		listeners+=("$!")
		disown
		until_true 10 grep -qs 'listening on' "$T/$m.tcpdump" || fail "tcpdump in $m"
	done
}
listeners=()
listen

# heard MACHINE: of the last frame that came, its tag ("5"), or "-" without one; else nothing.
heard() {
	awk -v mark="$mark" '
		index($0, mark) { tag = match($0, /vlan [0-9]+, p [0-9]+/) ? substr($0, RSTART + 5, RLENGTH - 5) : "-"
			sub(/, p 0$/, "", tag); sub(/, p /, "p", tag) }
		END { printf "%s", tag }' "$T/$1.heard"
}

# from MACHINE [TAG]: a broadcast, then who shall have heard it: MACHINE[=TAG]...
marks=0
from() {
	local sender=$1 tag=$2 m want pair
	shift 2
	marks=$((marks + 1))
	mark=$(printf '02:00:00:00:%02x:%02x' $((marks / 256 + 1)) $((marks % 256)))
	frame "$all" "$mark" "${tag:+8100$tag}88b5" 60 | send "$sender" eth0
	# The one that comes last tells that all have come.
	for m in "${machines[@]}"; do
		want=
		for pair in "$@"; do
			[[ ${pair%%=*} != "$m" ]] || { want=-; [[ $pair != *=* ]] || want=${pair#*=}; }
		done
		[[ -z $want ]] || settles "$want" "$m of a frame from $sender, tag '$tag' (line ${BASH_LINENO[0]})" heard "$m"
	done
	for m in "${machines[@]}"; do
		[[ " $* " == *" $m"[=\ ]* || -z $(heard "$m") ]] ||
			fail "$m heard a frame from $sender, tag '$tag' (line ${BASH_LINENO[0]}): $(heard "$m")"
	done
}

# Without settings: no tags but on the wire.
from a '' b c d wire
from wire '' a b c d
from a 0005
settles 1 "a tag from an untagged port" drops a in UnauthorizedVLAN
from wire 0005

# Access and trunk.
ctl port set a vlan access 5
ctl port set b vlan access 5
ctl port set c vlan trunk 5-6,10 native 6
from a '' b c=5 wire=5
from c 0005 a b wire=5
from c '' wire=6
from c 000a wire=10
from c 0007
settles 1 "a VLAN that is not the trunk's" drops c in UnauthorizedVLAN
from wire 0005 a b c=5
from wire 0006 c
from d '' wire
from a 6000 b c=5 wire=5 # only a priority, which is not kept

# Priorities.
ctl port set a ieee-priority on
ctl port set c ieee-priority on
from a 6000 b c=5p3 wire=5p3
ctl port set a ieee-priority off

# What is in the saved state is in force again after the switch has died.
state_of() { ctl -j show ports "$1" | jq -r '.ports[0].state'; }
saved=$(ctl save)
stop KILL
start
for m in a b c d; do
	settles Connected "port $m" state_of "$m"
done
equal "$(ctl save)" "$saved" "what is saved"
from a '' b c=5 wire=5
from c '' wire=6

# Private VLANs: a and b isolated, c community, d promiscuous. The wire carries the secondaries.
for m in a b; do
	ctl port set "$m" vlan isolated 100 101
done
ctl port set c vlan community 100 102
ctl port set d vlan promiscuous 100 101-102
from a '' d wire=101
from c '' d wire=102
from d '' a b c wire=100
from wire 0064 a b c d
from wire 0065 d
from wire 0066 c d

# All of them share one list of stations: nothing is flooded that is known.
vlan_of() {
	ctl -j show fdb "$1" | jq -r --arg mac "${mac[$1]}" '.fdb[] | select(.mac == $mac) | .vlan'
}
for m in a b d; do
	frame "$all" "${mac[$m]}" | send "$m" eth0
	settles 100 "the VLAN of $m's station" vlan_of "$m"
done
flooded=$(counter a rx_flooded)
arrived=$(counter d tx_frames)
frame "${mac[d]}" "${mac[a]}" | send a eth0
settles $((arrived + 1)) "frames to d" counter d tx_frames
frame "${mac[b]}" "${mac[a]}" | send a eth0
settles 1 "isolated to isolated" drops b out FailedPvlanSetting
equal "$(counter a rx_flooded)" "$flooded" "floods of a"

# Settings are changed as a whole or not at all, and can be checked first.
policy=$(ctl show policy)
# refused WORDS PORT KEY VALUE...
refused() {
	local words=$1 verb out
	shift
	for verb in set check; do
		! out=$(ctl port "$verb" "$@" 2>&1) || fail "port $verb $* was accepted"
		[[ $out == *"$words"* ]] || fail "port $verb $*: $out"
	done
	equal "$(ctl show policy)" "$policy" "the policies after what was refused"
}
refused "a community by port 'c'" d vlan isolated 100 102
refused "1 to 4094" d storm-limit 5 vlan access 5000
refused "did you mean 'vlan'" d vlna access 5
refused "vm NAME" d teaming on
equal "$(ctl port check d vlan access 7 storm-limit 9)" 'would be accepted as `port set`' "a check"
equal "$(ctl -j port check e switch s tap t-e | jq -r .as)" add "a check of a new port"
! ctl port check e switch s tap t-d >/dev/null 2>&1 || fail "a TAP that is in use"
equal "$(ctl show policy)" "$policy" "the policies after checks"
equal "$(ctl -j show policy c | jq -r '.policy[0].vlan')" "community 100 102" "show policy"

# A port's own address: it sends from no other, and nobody else has it in any VLAN.
for m in a b c d; do
	ctl port set "$m" vlan default
done
ctl port set a mac "${mac[a]}"
frame "$all" "${mac[b]}" | send a eth0
settles 1 "a frame from another's address" drops a in MacSpoofing
ctl port set b vlan trunk 5
pinned() { ctl -j show fdb s | jq '.totals[0].pinned'; }
before=$(pinned)
frame "$all" "${mac[a]}" 8100000588b5 | send b eth0
settles $((before + 1)) "a's address from b in a VLAN" pinned
equal "$(station "${mac[a]}" s)" a "where a's address is"
! out=$(ctl port set c mac "${mac[a]}" 2>&1) || fail "one address at two ports"
[[ $out == *"port 'a'"* ]] || fail "whose address it is: $out"

# Two ports of one VM may send from each other's addresses.
ctl port set a vm web
ctl port set c mac "${mac[c]}" vm web teaming on
passed=$(counter c rx_frames)
frame "$all" "${mac[a]}" | send c eth0
settles $((passed + 1)) "frames from c" counter c rx_frames
frame "$all" "${mac[b]}" | send c eth0
settles 1 "an address that is not the VM's" drops c in MacSpoofing
ctl port set c mac-spoofing on
frame "$all" "${mac[b]}" | send c eth0
settles $((passed + 2)) "frames from c" counter c rx_frames
ctl port add e switch s tap t-e mac dynamic >/dev/null
[[ $(ctl -j show ports e | jq -r '.ports[0].mac') == 00:15:5d:*:00 ]] || fail "the pool's first address"
ctl port set e mac 02:00:00:00:00:77
equal "$(cat /sys/class/net/t-e/address)" 02:00:00:00:00:77 "the address of the host's TAP"

# The storm limit counts by the second: of many frames at once, at most twice the limit pass.
for ((i = 0; i < 100; i++)); do frame "$all" "${mac[d]}"; done | to_pcap "$T/storm.pcap"
ctl port add storm switch s pcap rx "$T/storm.pcap" >/dev/null
settles 100 "frames without a limit" counter storm rx_frames
ctl port set storm storm-limit 10
stop TERM
start
storm_ends() { (($(counter storm rx_frames) + $(drops storm in StormLimit) == 100)); }
until_true 5 storm_ends || fail "the storm: $(ctl show drops storm)"
passed=$(counter storm rx_frames)
((passed >= 10 && passed <= 20)) || fail "$passed frames of the storm passed"

for pid_of_tcpdump in "${listeners[@]}"; do
	kill "$pid_of_tcpdump"
done
finish
