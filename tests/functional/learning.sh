#!/usr/bin/env bash
# Flooding, learning, moves, ageing, static addresses and what is never forwarded, with exact
# counters.
#
#   a ---.
#   b ----[ private switch s ]
#   c ---'
source "$(dirname "$0")/lib.sh"

A=02:00:00:00:00:0a B=02:00:00:00:00:0b B2=02:00:00:00:00:b2 C=02:00:00:00:00:0c
nobody=02:00:00:00:00:ff all=ff:ff:ff:ff:ff:ff

start
ctl switch add s private >/dev/null
n=1
for m in a b c; do
	machine "$m" s "10.1.0.$n/24"
	n=$((n + 1))
done

# expect A B C: frames delivered to the three since the last call, and nothing dropped.
declare -A seen=([a]=0 [b]=0 [c]=0)
expect() {
	local m want i=0
	for m in a b c; do
		i=$((i + 1))
		want=$((seen[$m] + ${!i}))
		settles "$want" "frames to $m (line ${BASH_LINENO[0]})" counter "$m" tx_frames
		seen[$m]=$want
	done
	# What the port says it sent did arrive.
	for m in a b c; do
		settles "${seen[$m]}" "frames that arrived at $m" \
			in_ns "$m" cat /sys/class/net/eth0/statistics/rx_packets
	done
}

# from MACHINE DESTINATION SOURCE...
from() { frame "${@:2}" | send "$1" eth0; }

from a $nobody $A
expect 0 1 1
equal "$(station $A s)" a "where A was learned"
from b $A $B
expect 1 0 0
from c $B $C
expect 0 1 0
from a $all $A
expect 0 1 1
from a 01:00:5e:00:00:fb $A
expect 0 1 1

# A station behind the port that asks for it: the frame does not come back, nor go elsewhere.
from b $nobody $B2
expect 1 0 1
from b $B2 $B
expect 0 0 0

# A station moves, and traffic follows it.
from c $nobody $A
expect 1 1 0
equal "$(station $A s)" c "where A is after its move"
from b $A $B
expect 0 0 1
equal "$(ctl -j show fdb s | jq '.totals[0].moved')" 1 "moves"

# Each VLAN has stations of its own.
for m in a b c; do
	ctl port set "$m" vlan trunk 5
done
frame $A $B 8100000588b5 64 | send b eth0
expect 1 0 1
for m in a b c; do
	ctl port set "$m" vlan default
done

# Never forwarded, and counted.
for x in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do
	from a "01:80:c2:00:00:0$x" $A
done
settles 16 "reserved addresses" drops a in BridgeReserved
from a 01:80:c2:00:00:10 $A
expect 0 1 1
from a $nobody 03:00:00:00:00:01
settles 1 "frames from a multicast address" drops a in InvalidSourceMac
in_ns a ip link set eth0 mtu 4000
in_ns b ip link set eth0 mtu 4000
frame $all $A 88b5 1514 | send a eth0
expect 0 1 1
frame $all $A 88b5 1515 | send a eth0
settles 1 "too long frames" drops a in MTUMismatch
ctl switch set s mtu 3000 >/dev/null
frame $all $A 88b5 3014 | send a eth0
expect 0 1 1
frame $all $A 88b5 3015 | send a eth0
settles 2 "too long frames" drops a in MTUMismatch

# A static address is where it is said to be, whoever claims it.
from a $nobody $A
expect 0 1 1
ctl port set b mac 02:00:00:00:00:55 >/dev/null
from a 02:00:00:00:00:55 $A
expect 0 1 0
equal "$(station 02:00:00:00:00:55 s)" b "the static station"
from c $nobody 02:00:00:00:00:55
equal "$(station 02:00:00:00:00:55 s)" b "the static station after another port's claim"

# What is behind a port is forgotten with the port, the others are not.
ctl port remove c >/dev/null
equal "$(station $C s)" "" "a station of the removed port"
equal "$(station $A s)" a "a station of another port"

# Ageing: learned stations go, static ones stay.
ctl switch set s ageing 1 >/dev/null
settles "" "a silent station" station $A s
equal "$(station 02:00:00:00:00:55 s)" b "the static station after ageing"
finish
