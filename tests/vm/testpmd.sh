#!/usr/bin/env bash
# DPDK's virtio-user as a second kind of client, in both roles. testpmd answers ARP and pings.
#
#   testpmd (any address) ---[ private s ]--- a (10.1.0.1)
source "$(dirname "$0")/lib.sh"

command -v dpdk-testpmd >/dev/null || exit 77

start
ctl switch add s private >/dev/null
machine a s 10.1.0.1/24

# testpmd's console is a pipe that stays open, else it ends at once.
mkfifo "$T/console"
sleep 1000 >"$T/console" &

# answer ROLE: testpmd owns the socket ('server=1'), or the switch does.
answer() {
	# shellcheck disable=SC2086 # a list of words
	dpdk-testpmd -l 0,1 --no-huge -m 128 --no-pci --no-shconf --no-telemetry --file-prefix=vswt \
		--vdev "net_virtio_user0,path=$RUN/v.sock,mac=02:00:00:00:00:99,queues=1,queue_size=256$1" \
		-- --nb-cores=1 --total-num-mbufs=4096 --forward-mode=icmpecho -i --auto-start \
		<"$T/console" >"$T/testpmd.log" 2>&1 &
	testpmd=$!
}

pings() {
	settles Connected "the port of testpmd" counter v state
	reachable a 10.1.0.99
	in_ns a ping -q -i 0.01 -c 100 10.1.0.99 >"$T/ping.out" || fail "pings are lost: $(cat "$T/ping.out")"
	grep -q ' 0% packet loss' "$T/ping.out" || fail "pings are lost: $(cat "$T/ping.out")"
	in_ns a ping -q -s 1400 -i 0.01 -c 20 10.1.0.99 >"$T/ping.out" || fail "large pings are lost"
}

end_client() {
	kill -KILL "$testpmd"
	wait "$testpmd" 2>/dev/null || :
}

ctl port add v switch s vhost v.sock client >/dev/null
answer ,server=1
until_true 20 test -S "$RUN/v.sock" || fail "testpmd does not start: $(cat "$T/testpmd.log")"
pings
# A client of another kind survives the switch's death, too.
stop KILL
start
pings
end_client
settles true "IsValidation after the client's death" counter v is_validation
ctl port remove v >/dev/null
rm -f "$RUN/v.sock"

ctl port add v switch s vhost v.sock server >/dev/null
answer ""
pings
end_client
settles true "IsValidation after the client's death" counter v is_validation
answer ""
pings
end_client
finish
