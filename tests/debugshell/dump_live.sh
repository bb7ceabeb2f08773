#!/usr/bin/env bash
# Dumps of a vswd with 20 ports, under traffic and while ports come and go: quickly taken, small
# enough to mail, complete, and without a byte of what guests hold or send.
source "$(dirname "$0")/../functional/lib.sh"

secret=tenants-own-data-0123456789

start
first=$("$vswsh" -r "$RUN" dump "$T/first" 2>&1) || :
if [[ $first == *"without which frames cannot be told"* ]]; then
	echo "this compiler makes no type data"
	stop
	exit 77
fi
ctl switch add s internal >/dev/null
ctl port add capture switch s pcap tx "$T/capture.pcap" >/dev/null
for ((i = 0; i < 9; i++)); do
	ctl port add tap$i switch s tap t-$i >/dev/null
	ip link set t-$i up
done
for ((i = 0; i < 9; i++)); do
	ctl port add vm$i switch s vhost vm$i.sock server >/dev/null
done
equal "$(ctl -j show ports | jq '.ports | length')" 21 "the ports"

# Two guests whose memory is full of the secret send to each other, and the host sends it too.
guests=()
for i in 0 1; do
	"$build/tests/guest/vguest" --socket "$RUN/vm$i.sock" --mac 02:00:00:00:01:0$i \
		--to 02:00:00:00:01:0$((1 - i)) --send 100000000 --rate 20000 --size 64-1500 \
		--timeout 1000 --fill "$secret" >"$T/vguest$i.log" 2>&1 &
	guests+=($!)
	disown
done
sent() { (($(counter "$1" rx_frames) > 1000)); }
until_true 10 sent vm0 || fail "vm0 sends nothing"
until_true 10 sent vm1 || fail "vm1 sends nothing"
payload=$(for ((i = 0; i < 20; i++)); do printf %s "$secret"; done | xxd -p | tr -d '\n')
for ((i = 0; i < 9; i++)); do
	echo "ffffffffffff02000000020${i}88b5$payload" | send host t-$i
done
captured() { grep -qF "$secret" "$T/capture.pcap"; }
until_true 5 captured || fail "the secret was not sent"

# Under traffic, while ports come and go.
churn() {
	while [[ -e $T/churning ]]; do
		ctl port add come switch s tap t-come >/dev/null
		ctl port set tap1 friendly-name "name $RANDOM" >/dev/null
		ctl switch add other private >/dev/null
		ctl port remove come >/dev/null
		ctl switch remove other >/dev/null
	done
}

# timed FILE: dumps; what that took is in 'times': seconds, and of them the CPU's for us and for the
# kernel.
timed() {
	local TIMEFORMAT='%3R %3U %3S'
	{ time "$vswsh" -r "$RUN" dump "$1" >"$T/said" 2>"$T/stderr"; } 2>"$T/times"
}

# stopped: whether a thread of the vswd stands still, by a signal or for a debugger.
stopped() {
	local file line
	for file in /proc/"$pid"/task/*/stat; do
		read -r line 2>/dev/null <"$file" || continue # one that ended
		line=${line##*) }
		[[ ${line:0:1} != [Tt] ]] || return 0
	done
	return 1
}

# lost: frames that were dropped for another reason than that a guest was not quick enough. Those of
# other kinds of ports are the test's own.
lost() {
	ctl -j show ports | jq '[.ports[] | select(.name == "vm0" or .name == "vm1") |
		(.drops_in, .drops_out) | del(.Resources) | add // 0] | add'
}
loops() { ctl -j show procs | jq '[.procs[].loops] | min'; }

# watched FILE: dumps, and looks on: the vswd goes on with its work all the while.
watched() {
	local looks=0 before stat wall user system
	before=$(loops)
	timed "$1" &
	dumper=$!
	while read -r stat 2>/dev/null <"/proc/$dumper/stat" && [[ ${stat##*) } != Z* ]]; do
		! stopped || fail "vswd is stopped while a dump is taken"
		looks=$((looks + 1))
	done
	wait "$dumper" || fail "dump: $(<"$T/stderr")"
	((looks > 0)) || fail "nobody looked on"
	(($(loops) > before)) || fail "a proc made no loop while a dump was taken"
	# Some 50 ms each, on a quiet machine.
	read -r wall user system <"$T/times"
	((10#${wall/./} < 5000)) || fail "a dump took $wall s"
	((10#${user/./} + 10#${system/./} < 1000)) || fail "a dump took $user and $system s of CPU time"
	all_looks=$((all_looks + looks))
}

all_looks=0
touch "$T/churning"
churn &
churner=$!
whole=0
lost_before=$(lost)
for round in {1..8}; do
	watched "$T/moving$round"
	! grep -q '^DUMP .*~' "$T/said" || continue
	torn=''
	for words in vswitch vport vnic proc drops miniport mopen lm lmi "vswitch s" "vport tap8" \
		"vnic vm1" "vnic tap0" "vnic capture" "proc 0" "fdb s"; do
		# shellcheck disable=SC2086 # words
		if ! out=$("$vswsh" -z "$T/moving$round" $words 2>&1); then
			# What went away between the port that names it and itself is told in its place.
			grep -q '\*\*\* .* is no object' <<<"$out" || fail "$words of a dump: $out"
			torn=1
		fi
		[[ $(wc -l <<<"$out") -gt 2 ]] || fail "$words of a dump shows nothing"
	done
	"$vswsh" -z "$T/moving$round" vport | grep ' tap8$' >/dev/null || fail "a port is missing"
	[[ $torn ]] || whole=$((whole + 1))
done
rm "$T/churning"
wait "$churner" || fail "the churning failed"
((whole > 0)) || fail "no dump was taken between two changes"
((all_looks >= 40)) || fail "only $all_looks looks at 8 dumps"
equal "$(lost)" "$lost_before" "frames between the guests that were lost for no fault of theirs"

# Looks can miss a moment; a call that could stop a process cannot be missed.
if command -v strace >/dev/null; then
	strace -f -qq -o "$T/calls" -e trace=ptrace,kill,tkill,tgkill,rt_sigqueueinfo,pidfd_send_signal,process_vm_readv \
		"$vswsh" -r "$RUN" dump "$T/traced" >/dev/null || fail "dump under strace"
	grep -q 'process_vm_readv' "$T/calls" || fail "strace shows no calls"
	! grep -v 'process_vm_readv' "$T/calls" >&2 || fail "a dump makes calls that stop a process"
fi

# At rest: all that is shown of the process is shown of the dump.
trap 'status=$?; kill -CONT "$pid" 2>/dev/null || :; on_exit $status' EXIT # it is asked there
kill -STOP "$pid"
until [[ $(<"/proc/$pid/stat") == *") T "* ]]; do
	sleep 0.01
done
everything() {
	local words port
	{
		printf '%s\n' vswitch vport vnic proc fdb drops miniport mopen lm lmi "vswitch s" \
			"fdb s" "drops s" "proc 0" "dt proc 0" "dt -r vswitch s" "dt vhost vm0" \
			where "where 0" ring "ring vm0" vnbl "vnbl 0" vmq qosline extension
		for port in capture s:internal {tap,vm}{0..8}; do
			printf '%s\n' "vport $port" "vnic $port" "drops $port" "dt -r vport $port" \
				"dt -r vnic $port"
		done
	} >"$T/words"
	while read -r words; do
		echo "> $words"
		# shellcheck disable=SC2086 # words
		"$vswsh" "$@" $words 2>&1 || echo "result $?"
	done <"$T/words" | sed -E 's/^(    Available +guest at )([0-9]+|\[not in the dump\]),/\1GUEST,/
		s/^(    Used +in memory )([0-9]+|\[not in the dump\]),/\1GUEST,/
		s/^(RING .* the guest +[0-9]+) +(\[Not there\]|\S+) +(\[Not there\]|\S+) +/\1 GUEST /
		s/^( *VNBL .*) (\[Not there\]|Ethernet.*)$/\1 FRAME/'
}
everything -p "$pid" >"$T/stopped"
! grep -E '^result|\*\*\*' "$T/stopped" || fail "the process shows damage"
grep -q 'guest at GUEST, seen [0-9]' "$T/stopped" || fail "no ring is shown"
"$vswsh" -p "$pid" dump "$T/small" >/dev/null || fail "dump"
everything -z "$T/small" | diff "$T/stopped" - || fail "the dump shows something else"
for suffix in gz zst; do
	"$vswsh" -p "$pid" dump "$T/small.$suffix" >/dev/null || fail "dump.$suffix"
	(($(stat -c %s "$T/small.$suffix") < 2 << 20)) || fail "$(stat -c %s "$T/small.$suffix") bytes to mail"
done

# What is in the switch's memory is looked for where it must be found, then in the dumps.
if command -v gcore >/dev/null; then
	gcore -o "$T/whole" "$pid" >"$T/gcore.log" 2>&1 || fail "gcore: $(<"$T/gcore.log")"
	grep -qF "$secret" "$T/whole.$pid" || fail "the secret is not in the switch's memory at all"
	"$vswsh" -z "$T/whole.$pid" dump "$T/shrunk" >/dev/null 2>&1 || fail "dump of a core"
	everything -z "$T/shrunk" | diff "$T/stopped" - || fail "the small core shows something else"
	rm "$T/whole.$pid"
fi
for file in "$T/small" "$T"/moving*; do
	! grep -qF "${secret:0:16}" "$file" || fail "the secret is in $file"
done
[[ ! -e $T/shrunk ]] || ! grep -qF "${secret:0:16}" "$T/shrunk" || fail "the secret is in the small core"
# Frames between guests begin so: in the safe bytes that every guest's frame is copied to.
begin=$(printf '\x02\x00\x00\x00\x01\x01\x02\x00\x00\x00\x01\x00\x88\xb5' | xxd -p)
for file in "$T/small" "$T"/moving*; do
	! xxd -p "$file" | tr -d '\n' | grep -q "$begin" || fail "a frame is in $file"
done
kill -CONT "$pid"
kill -KILL "${guests[@]}"
finish
