#!/usr/bin/env bash
# The switch is killed, stopped and started again: addresses stay, traffic goes on, files go.
#
#   host: vsw-s (.10) ---[ external s ]--- v0 === wire (.20)
#                               |
#                     a (.1) ---'  a TAP that lives in another namespace
source "$(dirname "$0")/lib.sh"

start
wire v0 10.1.0.20/24
ctl switch add s external nic v0 >/dev/null
host s 10.1.0.10/24
machine a s 10.1.0.1/24
reachable a 10.1.0.20
reachable host 10.1.0.20
make_file "$T/www/file" 20
serve host "$T/www"

# A second one on the same directory refuses and says who is there.
if "$vswd" -r "$RUN" -s "$T/other" --no-huge >"$T/second.out" 2>&1; then
	fail "a second vswd ran"
fi
grep -qw "$pid" "$T/second.out" || fail "the second vswd does not name pid $pid: $(cat "$T/second.out")"
reachable host 10.1.0.20

# Another one beside it, with directories of its own.
"$vswd" -r "$T/beside" -s "$T/beside-state" --no-huge </dev/null \
	>"$T/beside.log" 2>&1 &
beside=$!
until_true 10 "$vswctl" -r "$T/beside" show switches >/dev/null 2>&1 || fail "no second vswd beside"
"$vswctl" -r "$T/beside" switch add q private >/dev/null
kill $beside
wait $beside || fail "the second vswd ended with $?"

# Killed in the middle of a transfer, which then completes.
in_ns wire tc qdisc add dev eth0 root tbf rate 80mbit burst 64k latency 50ms 2>/dev/null || :
(fetch wire http://10.1.0.10/file "$T/www/file") &
fetcher=$!
settles_over() { (($(counter s:internal rx_bytes) > $1)); }
until_true 10 settles_over 1000000 || fail "the transfer does not begin"
stop KILL
((ended == 137)) || fail "the killed vswd ended with $ended"
[[ -e $RUN/vswd.pid ]] || fail "a killed vswd cannot have removed its pid file"
ip addr show dev vsw-s | grep -q 10.1.0.10/24 || fail "the host lost its address"
start
wait $fetcher || fail "the transfer did not survive"
reachable a 10.1.0.20
reachable wire 10.1.0.10

# A stale pid file whose number belongs to someone else now.
stop KILL
echo $$ >"$RUN/vswd.pid"
start
reachable wire 10.1.0.10

# SIGTERM: sockets and pid file go, the host's TAP and its address stay.
ctl port add q switch s vhost q.sock server >/dev/null
[[ -S $RUN/q.sock ]] || fail "no socket of a server port"
stop TERM
((ended == 0)) || fail "SIGTERM ended with $ended"
[[ -z $(ls "$RUN") ]] || fail "vswd left files: $(ls "$RUN")"
ip addr show dev vsw-s | grep -q 10.1.0.10/24 || fail "the host lost its address"
start
reachable wire 10.1.0.10
reachable a 10.1.0.10
[[ -S $RUN/q.sock ]] || fail "no socket of a server port after the restart"

# A NIC that is gone does not stop the start, and the port comes back with the NIC.
stop TERM
ip link delete v0
ip netns delete wire
start
equal "$(counter s:external state)" Disconnected "the port without its NIC"
[[ -n $(counter s:external why) ]] || fail "no reason is given"
wire v0 10.1.0.20/24
settles Connected "the port with its NIC" counter s:external state
reachable wire 10.1.0.10

# So does a switch that is made while its NIC's link is down.
ip link add d0 type veth peer name d1
ctl switch add down external nic d0 >/dev/null
equal "$(counter down:external state)" Disconnected "the port of a NIC that is down"
ip link set d0 up
ip link set d1 up
settles Connected "the port of a NIC that came up" counter down:external state
ip link set d1 down
settles Disconnected "the port of a NIC that lost its link" counter down:external state

ctl switch remove s >/dev/null
until_true 2 no_device vsw-s || fail "the TAP of a removed switch is left"
finish
