#!/usr/bin/env bash
# vswd is killed in the middle of commands, again and again. What was acknowledged is there
# afterwards; of the command under way there is all or nothing, its TAP included.
source "$(dirname "$0")/lib.sh"

rounds=12

# The names of the ports in the saved text of a running vswd.
configured() { ctl save | sed -n 's/^port add \(t[0-9]*\) .*/\1/p' | sort; }

# One TAP per port, and no other.
check_taps() {
	local taps
	taps=$(ip -o link show type tun | sed -n 's/^[0-9]*: \(x-t[0-9]*\).*/\1/p' | sort)
	diff <(configured | sed 's/^/x-/') <(echo "$taps" | sed '/^$/d') ||
		fail "the TAPs are not those of the ports"
}

start
ctl switch add s internal >/dev/null
number=0
for ((round = 0; round < rounds; round++)); do
	: >"$T/done"
	configured >"$T/expected"
	# Adds and removes ports as fast as it can, and notes what was acknowledged.
	(
		trap - ERR
		for ((i = 0; i < 200; i++)); do
			name=t$((number + i))
			ctl port add $name switch s tap x-$name >/dev/null 2>&1 || exit 0
			echo "+$name" >>"$T/done"
			((i % 3 == 0)) || continue
			ctl port remove $name >/dev/null 2>&1 || exit 0
			echo "-$name" >>"$T/done"
		done
	) &
	worker=$!
	sleep "0.$((1 + RANDOM % 3))$((RANDOM % 10))"
	stop KILL
	wait $worker || :
	number=$((number + 200))
	start
	configured >"$T/found"
	check_taps

	# What was acknowledged, and at most one command more.
	last=$(tail -n 1 "$T/done")
	while read -r line; do
		if [[ $line == +* ]]; then
			echo "${line#+}" >>"$T/expected"
		else
			sed -i "/^${line#-}\$/d" "$T/expected"
		fi
	done <"$T/done"
	sort -o "$T/expected" "$T/expected"
	extra=$(comm -13 "$T/expected" "$T/found" | wc -l)
	lost=$(comm -23 "$T/expected" "$T/found" | wc -l)
	((extra + lost <= 1)) || fail "round $round: $extra ports more and $lost less than acknowledged"
	# Only the last that was added can have been under removal.
	((lost == 0)) || [[ $(comm -23 "$T/expected" "$T/found") == "${last#+}" ]] ||
		fail "round $round: an acknowledged port is lost"
	for name in $(configured | head -n 20); do
		ctl port remove "$name" >/dev/null
	done
done
finish
