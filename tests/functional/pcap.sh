#!/usr/bin/env bash
# Replay from and capture to files and pipes: what goes in comes out, tags included; what is
# too short does not.
source "$(dirname "$0")/lib.sh"

A=02:00:00:00:00:0a all=ff:ff:ff:ff:ff:ff
start
ctl switch add s private >/dev/null

# A capture to standard output, for tcpdump.
"$vswctl" -r "$RUN" port add live switch s pcap tx - >"$T/live.pcap" 2>"$T/live.err" &
live=$!
ports_there() { ctl show ports "$1" >/dev/null 2>&1; }
until_true 5 ports_there live || fail "no live capture: $(cat "$T/live.err")"
ctl port add out switch s pcap tx "$T/out.pcap" >/dev/null

{
	frame $all $A
	frame $all $A 8100000588b5 100                # tagged: VLAN 5
	frame $all $A 810060051234 64                 # tagged, with a priority
	frame 02:00:00:00:00:0b $A 88b5 1514
	frame 02:00:00:00:00:0b $A 8100000588b5 1518  # tagged: the tag does not count
} >"$T/frames"
{
	cat "$T/frames"
	frame $all $A 88b5 13 | cut -c1-26 # runts
	echo ffffffffffff
} | to_pcap "$T/in.pcap"
ctl port add in switch s pcap rx "$T/in.pcap" >/dev/null
settles 5 "frames to the capture" counter out tx_frames
settles 5 "frames to the live capture" counter live tx_frames
settles 5 "frames replayed" counter in rx_frames
settles 2 "runts" drops in in InvalidFirstNBTooSmall

kill $live
wait $live 2>/dev/null || :
gone() { ! ports_there live; }
until_true 5 gone || fail "the live capture's port outlives vswctl"
! ctl save | grep -q live || fail "the live capture is saved"
from_pcap "$T/live.pcap" >"$T/live.frames"
diff "$T/frames" "$T/live.frames" || fail "the live capture differs"
ctl port remove out >/dev/null
from_pcap "$T/out.pcap" >"$T/out.frames"
diff "$T/frames" "$T/out.frames" || fail "the capture differs"

# tcpdump reads the pipe while the switch writes it.
mkfifo "$T/pipe"
tcpdump -n -e -l -c 1 -r "$T/pipe" >"$T/tcpdump.out" 2>/dev/null &
dumper=$!
"$vswctl" -r "$RUN" port add live switch s pcap tx - >"$T/pipe" 2>/dev/null &
live=$!
until_true 5 ports_there live || fail "no second live capture"
ctl port remove in >/dev/null
ctl port add in switch s pcap rx "$T/in.pcap" >/dev/null
wait $dumper || fail "tcpdump ended with $?"
grep -q "$A > $all" "$T/tcpdump.out" || fail "tcpdump saw: $(cat "$T/tcpdump.out")"
ctl port remove in >/dev/null
until_true 5 gone || {
	kill $live
	until_true 5 gone || fail "the port outlives its vswctl"
}
kill $live 2>/dev/null || :
wait $live 2>/dev/null || :

# Files of others are not overwritten, links not followed.
echo precious >"$T/precious"
ln -s "$T/precious" "$T/link"
! ctl port add bad switch s pcap tx "$T/precious" >/dev/null 2>&1 || fail "a file is overwritten"
! ctl port add bad switch s pcap tx "$T/link" >/dev/null 2>&1 || fail "a link is followed"
equal "$(cat "$T/precious")" precious "the contents of a foreign file"

# A refused command leaves a recording as it was, and a recording is nobody else's replay.
before=$(sha256sum <"$T/out.pcap")
! ctl port add bad switch s pcap tx "$T/out.pcap" rx /no/such/file >/dev/null 2>&1 ||
	fail "a missing file is replayed"
equal "$(sha256sum <"$T/out.pcap")" "$before" "a recording after a refused command"
! ctl port add bad switch s pcap rx /no/such/file tx "$T/new.pcap" >/dev/null 2>&1 ||
	fail "a missing file is replayed"
[[ ! -e $T/new.pcap ]] || fail "a refused command left a file"
ctl port add in switch s pcap rx "$T/in.pcap" >/dev/null
! ctl port add bad switch s pcap tx "$T/in.pcap" >/dev/null 2>&1 || fail "a replay is overwritten"
finish
