#!/usr/bin/env bash
# Two procs in one switch: queues are spread over them, frames cross from one to the other, and
# ports come and go under both.
source "$(dirname "$0")/lib.sh"

(($(nproc) >= 2)) || { echo "two procs need two cores"; exit 77; }

start --procs 0,1
ctl switch add s internal >/dev/null
ctl switch set s vmq-scheduling static
machine a s 10.1.0.1/24
machine b s 10.1.0.2/24
machine c s 10.1.0.3/24
host s 10.1.0.10/24
equal "$(ctl -j show procs | jq -c '[.procs[].rxqs]')" '[2,2]' "queues of the procs"

make_file "$T/www/file" 20
for to in a b c host; do
	serve "$to" "$T/www"
done
fetchers=()
for pair in "a 10.1.0.2" "b 10.1.0.3" "c 10.1.0.1" "host 10.1.0.2"; do
	read -r from to <<<"$pair"
	fetch "$from" "http://$to/file" "$T/www/file" &
	fetchers+=($!)
done
for _ in 1 2 3 4 5; do
	ctl port add x switch s tap t-x >/dev/null
	ctl port add y switch s vhost y.sock server >/dev/null
	ip link set t-x up
	ctl port remove x >/dev/null
	ctl port remove y >/dev/null
done
for fetcher in "${fetchers[@]}"; do
	wait "$fetcher" || fail "a transfer between procs failed"
done
for number in 0 1; do
	frames=$(ctl -j show procs | jq ".procs[$number].frames")
	((frames > 100)) || fail "proc$number has moved $frames frames only"
done
finish
