#!/usr/bin/env bash
# An idle switch sleeps, and wakes at once.
source "$(dirname "$0")/lib.sh"

# Processor time of the vswd in milliseconds.
cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$pid/stat"; }

start
wire v0 10.1.0.20/24
ctl switch add s external nic v0 >/dev/null
machine a s 10.1.0.1/24
machine b s 10.1.0.2/24
ctl port add v switch s vhost nobody.sock >/dev/null
host s 10.1.0.10/24
reachable a 10.1.0.2
reachable a 10.1.0.20

# It is to take under 3 %; this machine may be noisy, so a tenfold is what fails.
sleep 1
before=$(cpu_ms)
sleep 3
used=$(($(cpu_ms) - before))
((used < 900)) || fail "the idle switch used $used ms of 3 s"

# The first frame after a pause: the median of some pings that are far apart. An interrupt and
# a thread to wake, so under a millisecond; a timed sleep would show as several.
for target in 10.1.0.2 10.1.0.20 10.1.0.10; do
	median=$(in_ns a ping -c 9 -i 0.3 "$target" | sed -n 's/.*time=\([0-9.]*\) ms/\1/p' |
		sort -n | sed -n 5p)
	awk -v m="$median" 'BEGIN { exit !(m < 5) }' ||
		fail "the first frame to $target after a pause takes $median ms"
done

# With --poll always it does not sleep.
stop TERM
start --poll always
before=$(cpu_ms)
sleep 1
used=$(($(cpu_ms) - before))
((used > 300)) || fail "--poll always used only $used ms of 1 s"
stop TERM

# Hugepages: used when there are some, and given back; never needed.
pages=/sys/kernel/mm/hugepages/hugepages-2048kB
if [[ -e $pages/free_hugepages ]] && (($(<$pages/free_hugepages) >= 64)); then
	before=$(<$pages/free_hugepages)
	"$vswd" -r "$RUN" -s "$STATE" </dev/null >>"$T/vswd.log" 2>&1 &
	pid=$!
	until_true 30 answers || fail "vswd does not start with hugepages"
	(($(<$pages/free_hugepages) < before)) || fail "no hugepages are used"
	stop TERM
	((ended == 0)) || fail "vswd ended with $ended"
	settles "$before" "free hugepages after the end" cat $pages/free_hugepages
fi
finish
