#!/usr/bin/env bash
# Ports and switches come and go under traffic; the traffic of the others loses nothing.
source "$(dirname "$0")/lib.sh"

start
ctl switch add s internal >/dev/null
machine a s 10.1.0.1/24
machine b s 10.1.0.2/24
host s 10.1.0.10/24
make_file "$T/www/file" 20
serve a "$T/www"
reachable b 10.1.0.1
reachable b 10.1.0.10

in_ns b ping -q -i 0.005 -c 1000 -W 2 10.1.0.1 >"$T/ping.out" 2>&1 &
pinger=$!
(fetch b http://10.1.0.1/file "$T/www/file") &
fetcher=$!
rounds=0
while kill -0 $pinger 2>/dev/null; do
	ctl port add x switch s tap t-x >/dev/null
	ctl port add y switch s vhost y.sock server >/dev/null
	ctl switch add other private >/dev/null
	ctl port add z switch other tap t-z >/dev/null
	ip link set t-x up
	ip link set t-z up
	ctl port remove x >/dev/null
	ctl switch remove other >/dev/null
	ctl port remove y >/dev/null
	rounds=$((rounds + 1))
done
wait $pinger || fail "ping failed: $(cat "$T/ping.out")"
wait $fetcher || fail "the transfer failed"
grep -q ' 0% packet loss' "$T/ping.out" || fail "lost frames: $(cat "$T/ping.out")"
((rounds >= 3)) || fail "only $rounds rounds of adding and removing"
for port in a b; do
	equal "$(ctl -j show ports $port | jq -c '.ports[0] | [.drops_in, .drops_out]')" '[{},{}]' \
		"drops of $port"
done
until_true 2 no_device t-x || fail "t-x is left"
until_true 2 no_device t-z || fail "t-z is left"
finish
