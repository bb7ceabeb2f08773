#!/usr/bin/env bash
# vswd is killed in the middle of commands, again and again. What was acknowledged is there
# afterwards; of the command under way there is all or nothing, its TAP included. What the next
# vswd clears away is ours, and is what no port has any more.
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

# Each saved port with the number of its TAP.
taps_of_saved() {
	local name
	for name in $(sed -n 's/^port add \(t[0-9]*\) .*/\1/p' "$STATE/state.conf"); do
		[[ -e /sys/class/net/x-$name ]] || fail "the TAP of saved port $name is gone"
		echo "$name $(</sys/class/net/"x-$name"/ifindex)"
	done
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
	# A TAP goes after its port: what is saved has its TAP, the same before and after.
	taps_of_saved >"$T/taps.killed"
	number=$((number + 200))
	start
	configured >"$T/found"
	check_taps
	taps_of_saved >"$T/taps.started"
	diff "$T/taps.killed" "$T/taps.started" || fail "round $round: a port has another TAP"

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

# The moments that are too short to be met by chance, made by hand: a removal, killed before and
# after its text took the old one's place.
ctl port add away switch s tap t-away >/dev/null
ctl port add moved switch s tap t-moved >/dev/null
ctl port add served switch s vhost served.sock server >/dev/null
ip addr add 192.0.2.1/24 dev t-away
make_ns far
ip link set t-moved netns far name eth0
index=$(</sys/class/net/t-away/ifindex)
cp "$STATE/state.conf" "$T/with"
stop KILL
grep -Ev '^port add (away|moved|served) ' "$T/with" >"$T/without"
cp "$T/with" "$STATE/state.conf.old"
cp "$T/without" "$STATE/state.conf.new"
start
equal "$(</sys/class/net/t-away/ifindex)" "$index" "the TAP of a removal that was not committed"
ip -o addr show dev t-away | grep -q 192.0.2.1/24 || fail "the TAP has lost its address"
for port in away moved served; do
	ctl show ports $port >/dev/null || fail "port $port is gone"
done
stop KILL
[[ -S $RUN/served.sock ]] || fail "no socket was left to be cleared away"
cp "$T/with" "$STATE/state.conf.old"
cp "$T/without" "$STATE/state.conf"
start
no_device t-away || fail "the TAP of a removal that was committed is there"
! ip -n far link show eth0 >/dev/null 2>&1 || fail "the TAP that was moved away is there"
[[ ! -e $RUN/served.sock ]] || fail "the socket of a removal that was committed is there"
[[ ! -e $STATE/state.conf.old && ! -e $STATE/state.conf.new ]] || fail "old texts were left"
equal "$(grep -c 'cut short: removed' "$T/vswd.log")" $(($(grep -c 'TAP.*cut short' "$T/vswd.log") + 1)) \
	"sockets that were cleared away"

# An addition that was killed: another's TAP of that name is left alone, and nobody says otherwise.
ip tuntap add dev other0 mode tap
ip link set other0 mtu 1234
ctl switch set s mtu 1400 >/dev/null
cp "$STATE/state.conf" "$T/present"
stop KILL
sed 's/^port add .* t-away/port add x switch s tap other0/' "$T/with" >"$STATE/state.conf.new"
grep -q other0 "$STATE/state.conf.new" || fail "no text of an addition"
start
equal "$(</sys/class/net/other0/mtu)" 1234 "the MTU of another's TAP"
(($(</sys/class/net/other0/flags) % 2 == 0)) || fail "another's TAP was brought up"
! grep -q "other0.*removed" "$T/vswd.log" || fail "vswd says that it removed another's TAP"
diff "$T/present" "$STATE/state.conf" || fail "the state changed"
finish
