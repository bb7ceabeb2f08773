#!/usr/bin/env bash
# Who reaches whom on each type of switch. All pairs, also those that must not.
#
#   a (.1) ---.
#              [ switch s ]--- host: vsw-s (.10)    internal, external
#   b (.2) ---'     |
#                   '--------- veth --- wire (.20)  external
source "$(dirname "$0")/lib.sh"

# matrix WHO...: those reach each other and nobody else does.
matrix() {
	local from to
	for from in "${!address[@]}"; do
		for to in "${!address[@]}"; do
			[[ $from != "$to" ]] || continue
			if [[ " $* " == *" $from "* && " $* " == *" $to "* ]]; then
				reachable "$from" "${address[$to]}"
			else
				unreachable "$from" "${address[$to]}"
			fi
		done
	done
}

no_tap() { ! here "$1" ip link show eth0 >/dev/null 2>&1; }

declare -A address=([a]=10.1.0.1 [b]=10.1.0.2 [host]=10.1.0.10 [wire]=10.1.0.20)

# with TYPE WHO... -- OPTION...: builds a switch, asks, takes it down.
with() {
	local who=()
	while [[ $1 != -- ]]; do
		who+=("$1")
		shift
	done
	shift
	ctl switch add s "$@" >/dev/null
	machine a s 10.1.0.1/24
	machine b s 10.1.0.2/24
	if [[ " ${who[*]} " == *" host "* ]]; then
		host s 10.1.0.10/24
	else
		# The host has the address all the same, on no interface of this switch.
		[[ ! -e /sys/class/net/vsw-s ]] || fail "the host has an interface on $*"
		ip addr add 10.1.0.10/32 dev lo
	fi
	matrix "${who[@]}"
	ctl switch remove s >/dev/null
	until_true 2 no_device vsw-s || fail "vsw-s is still there"
	until_true 2 no_tap a || fail "the TAP of a is still there"
	ip netns delete a
	ip netns delete b
	ip addr flush dev lo
}

start
wire v0 10.1.0.20/24
with a b -- private
with a b host -- internal
with a b host wire -- external nic v0
with a b wire -- external nic v0 allow-management-os off
finish
