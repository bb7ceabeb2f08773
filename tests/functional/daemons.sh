#!/usr/bin/env bash
# Real daemons on both sides of the guards: arping, that announces and probes addresses; kernels,
# that look for duplicates of IPv6 addresses; radvd, as a rogue router and as the rightful one.
# Each attack is seen to succeed without the guard, too.
#
#   a b c ---[ switch s ]      a is guarded; b is to be deceived; c is who a pretends to be
source "$(dirname "$0")/lib.sh"

for program in arping radvd; do
	command -v $program >/dev/null || { echo "there is no $program"; exit 77; }
done
declare -A mac=([a]=02:00:00:00:00:0a [b]=02:00:00:00:00:0b [c]=02:00:00:00:00:0c)
start
ctl switch add s private >/dev/null
n=1
for m in a b c; do
	machine "$m" s "10.1.0.$n/24"
	ip -n "$m" link set eth0 address "${mac[$m]}"
	n=$((n + 1))
done

# neighbour WHO ADDRESS: the link address that WHO knows, or nothing.
neighbour() { ip -n "$1" -j neigh show to "$2" dev eth0 | jq -r '.[0].lladdr // empty'; }
# drops_more THAN REASON
drops_more() { (($(drops a in "$2") > $1)); }
security() { drops a in FailedSecurityPolicy; }

# --- ARP -------------------------------------------------------------------------------------

here b sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_accept'
here a sh -c 'echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind'
# announces WHO -U|-A ADDRESS: as a request or as a reply; arping waits a second after each.
announces() { here "$1" arping -q "$2" -c 1 -w 1 -I eth0 "$3" || fail "$1 cannot announce $3"; }
# unique WHO ADDRESS: nobody else answers; taken WHO ADDRESS: somebody does.
unique() { here "$1" arping -q -D -c 1 -w 1 -I eth0 "$2"; }
taken() { ! unique "$@"; }

reachable b 10.1.0.3
equal "$(neighbour b 10.1.0.3)" "${mac[c]}" "c as b knows it"
announces a -U 10.1.0.3
settles "${mac[a]}" "without a guard, 10.1.0.3 as b knows it" neighbour b 10.1.0.3
ctl port set a arp-guard on address 10.1.0.1,2001:db8::1
announces c -A 10.1.0.3
settles "${mac[c]}" "c again" neighbour b 10.1.0.3
for kind in -U -A; do
	caught=$(security)
	announces a $kind 10.1.0.3
	until_true 5 drops_more "$caught" FailedSecurityPolicy || fail "no drop of arping $kind"
	equal "$(neighbour b 10.1.0.3)" "${mac[c]}" "behind a guard, 10.1.0.3 as b knows it, after $kind"
	ip -n b neigh flush dev eth0
	caught=$(security)
	announces a $kind 10.1.0.1
	settles "${mac[a]}" "a's own address as b knows it, after $kind" neighbour b 10.1.0.1
	equal "$(security)" "$caught" "drops of a's own announcement, with $kind"
	reachable b 10.1.0.3
done

# Whoever has an address is asked for it and may say so; a says so of c's, and is not heard.
unique a 10.1.0.1 || fail "a finds its own address taken"
until_true 10 taken a 10.1.0.3 || fail "a is not told that c has its address"
until_true 10 taken b 10.1.0.1 || fail "a cannot defend its own address"
ip -n a addr add 10.1.0.3/32 dev eth0
caught=$(security)
unique c 10.1.0.3 || fail "c finds its address taken, by one behind a guard"
until_true 5 drops_more "$caught" FailedSecurityPolicy || fail "a did not answer"
ctl port set a arp-guard off
until_true 10 taken c 10.1.0.3 || fail "without a guard c does not find its address taken"
ctl port set a arp-guard on
unique c 10.1.0.3 || fail "c finds its address taken, with the guard on again"
ip -n a addr del 10.1.0.3/32 dev eth0

# --- duplicates of IPv6 ----------------------------------------------------------------------

ipv6() { here "$1" sh -c "cd /proc/sys/net/ipv6/conf; for i in all default eth0; do echo $((!$2)) >\$i/disable_ipv6; done"; }
# shows WHO ADDRESS FLAG: whether WHO has ADDRESS in that state: tentative, dadfailed, -tentative.
shows() { ip -n "$1" -6 -o addr show dev eth0 "$3" | grep -q " $2"; }
has() { shows "$1" "$2" -tentative; }
# takes WHO ADDRESS: anew, so that its kernel looks for a duplicate.
takes() {
	ip -n "$1" addr del "$2/64" dev eth0 2>/dev/null || :
	ip -n "$1" addr add "$2/64" dev eth0
}
# refused WHO ADDRESS: its kernel is told that another has it.
refused() {
	takes "$@"
	until_true 5 decided "$@" && shows "$@" dadfailed
}
decided() { ! shows "$@" tentative || shows "$@" dadfailed; }

for m in a b c; do
	# What a kernel waits for, and at random, is to be short.
	here $m sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/router_solicitation_delay
		echo 1 >/proc/sys/net/ipv6/conf/eth0/router_solicitation_interval
		echo 300 >/proc/sys/net/ipv6/neigh/eth0/retrans_time_ms'
	ipv6 $m 1
done
for m in a b c; do
	until_true 5 has $m fe80: || fail "$m has no link-local address"
done
takes c 2001:db8::3
takes b 2001:db8::2
takes a 2001:db8::1
for m in c:3 b:2 a:1; do
	until_true 5 has ${m%:*} "2001:db8::${m#*:}" || fail "${m%:*} has not its own address"
done
reachable b 2001:db8::3

# a looks for a duplicate and nobody hears it, so it takes the address; nobody hears of that either.
caught=$(security)
takes a 2001:db8::3
until_true 5 has a 2001:db8::3 || fail "a does not think it has c's address"
until_true 5 drops_more "$caught" FailedSecurityPolicy || fail "no drop of a's looking for a duplicate"
equal "$(neighbour b 2001:db8::3)" "${mac[c]}" "c as b knows it"
caught=$(security)
ip -n b -6 neigh flush dev eth0
reachable b 2001:db8::3
until_true 5 drops_more "$caught" FailedSecurityPolicy || fail "no drop of a's answer to b"
equal "$(neighbour b 2001:db8::3)" "${mac[c]}" "c as b knows it when it has asked"
# c begins anew: a defends what it has taken. So does it with its own address.
caught=$(security)
takes c 2001:db8::3
until_true 5 has c 2001:db8::3 || fail "c does not get its address back from one behind a guard"
until_true 5 drops_more "$caught" FailedSecurityPolicy || fail "no drop of a's defence"
until_true 10 refused b 2001:db8::1 || fail "a cannot defend its own IPv6 address"
ctl port set a arp-guard off
until_true 10 refused c 2001:db8::3 || fail "without a guard c gets its address back"

# --- routers ---------------------------------------------------------------------------------

for m in a b c; do
	ipv6 $m 0
done
for m in a c; do
	here $m sh -c 'cd /proc/sys/net/ipv6/conf; for i in all eth0; do echo 1 >$i/forwarding; done'
	ipv6 $m 1
	ip -n $m addr add 2001:db8:$m::1/64 dev eth0
	until_true 5 has $m fe80: || fail "$m has no link-local address again"
done
here b sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra'

# routes MACHINE PREFIX: radvd sends as often as it may, and answers who asks.
routes() {
	cat >"$T/radvd-$1.conf" <<END
interface eth0 {
	AdvSendAdvert on;
	MinRtrAdvInterval 3;
	MaxRtrAdvInterval 4;
	prefix $2 { };
};
END
	here "$1" radvd -n -C "$T/radvd-$1.conf" -p "$T/radvd-$1.pid" -m logfile -l "$T/radvd-$1.log" \
		>/dev/null 2>&1 &
	disown
}
# The routers that b knows, by the last of their address.
routers() { ip -n b -6 -j route show default | jq -r '[.. | .gateway? // empty | .[-1:]] | unique | join(" ")'; }
# b begins anew: it knows nothing, and asks.
anew() {
	ipv6 b 0
	ipv6 b 1
}

ctl port set a router-guard on
routes a 2001:db8:a::/64
anew
until_true 10 drops_more 1 RouterGuard || fail "nothing is advertised"
until_true 5 has b fe80: || fail "b has no link-local address"
! shows b 2001:db8:a: dynamic || fail "b believes a"
ip -n c addr add 2001:db8:f::1/128 dev lo
routes c 2001:db8:c::/64
until_true 10 has b 2001:db8:c: || fail "b has no address of the rightful router's"
equal "$(routers)" c "b's routers"
reachable b 2001:db8:f::1
! has b 2001:db8:a: || fail "b believes a, too"
ctl port set a router-guard off
until_true 10 has b 2001:db8:a: || fail "without a guard b does not believe a"
settles "a c" "b's routers without a guard" routers
ctl port set a router-guard on
anew
caught=$(drops a in RouterGuard)
until_true 10 has b 2001:db8:c: || fail "b has no address again"
until_true 10 drops_more "$caught" RouterGuard || fail "the guard is not on again"
equal "$(routers)" c "b's routers with the guard on again"
! has b 2001:db8:a: || fail "b believes a again"
kill "$(<"$T/radvd-a.pid")" "$(<"$T/radvd-c.pid")"
finish
