#!/usr/bin/env bash
# A vswd that forwards between two VMs: stopped, killed by a fault, and hung; what the shell shows
# of it and of its cores. The VMs' memory is full of a text, which is in no core.
#
#      vm1 ----> vswitch s ----> vm2      t1: a TAP without machine
source "$(dirname "$0")/../functional/lib.sh"

text="memory of a tenant $RANDOM$RANDOM$RANDOM"
marker="a name that vswd keeps $RANDOM$RANDOM$RANDOM"

# guest NAME MAC OPTION...: a VM whose memory is full of the text.
guest() {
	"$build/tests/guest/vguest" --socket "$RUN/$1.sock" --mac "$2" --fill "$text" --timeout 600 \
		"${@:3}" >"$T/$1.log" 2>&1 &
	guests+=($!)
	disown
}

traffic() {
	guests=()
	guest vm2 02:00:00:00:00:02 --expect 1000000000 --reconnect
	guest vm1 02:00:00:00:00:01 --to 02:00:00:00:00:02 --send 1000000000 --rate 20000 --size 64-1500
	until_true 10 flows || fail "no frames flow: $(cat "$T"/vm?.log)"
}

flows() {
	local before
	before=$(counter vm2 tx_frames)
	sleep 0.1
	(($(counter vm2 tx_frames) > before))
}

no_traffic() {
	kill -KILL "${guests[@]}" 2>/dev/null || :
}

# everything TARGET...: what all commands show.
everything() {
	local command
	for command in vswitch "vswitch s" vport "vport vm1" "vport t1" vnic "vnic vm1" "vnic vm2" \
		"vnic t1" proc "proc 0" fdb "fdb s" "fdb vm1" drops "drops s" miniport mopen help \
		lm lmi "lmi libc" "dt -r vport vm1" "dt -r vswitch s" "dt vhost vm2"; do
		echo "> $command"
		# shellcheck disable=SC2086 # words
		timeout 20 "$vswsh" "$@" $command || return 1
	done 2>&1
}

# complete TARGET...: every command shows all, and complains of nothing.
complete() {
	everything "$@" >"$T/out" || fail "$* fails: $(tail -n 20 "$T/out")"
	! grep -E '^vswsh: |\*\*\*|~$|not in the core' "$T/out" || fail "$* has something to complain of"
	grep -qF "$marker" "$T/out" || fail "$* does not show the name of a port"
	(($(grep -cE '^    Available +guest at [0-9]+, seen [0-9]+, taken [0-9]+$' "$T/out") == 4)) ||
		fail "$* does not show the rings of the VMs: $(grep -A8 RING "$T/out")"
	grep -qE '^    02-00-00-00-00-01 .* vm1$' "$T/out" || fail "$* does not show the station"
}

# all_standing TARGET...: what was going on, of which a process that runs tells something else each time.
all_standing() {
	local command address
	for command in where "where 0" ring "ring vm1" "ring vm2" vnbl "vnbl 0" vmq qosline extension; do
		echo "> $command"
		# shellcheck disable=SC2086 # words
		timeout 20 "$vswsh" "$@" $command || return 1
	done 2>&1
	for command in where ring "vnbl -x"; do
		for address in $("$vswsh" "$@" "${command% -x}" | awk '/^ *(PROC|RING|VNBL) / { print $2 }'); do
			echo "> $command $address"
			# shellcheck disable=SC2086 # words
			timeout 20 "$vswsh" "$@" $command "$address" || return 1
		done
	done 2>&1
}

# standing TARGET...: without what a core alone has, its signal.
standing() { all_standing "$@" | sed -E '/^    Ended by /d; s/(, )?hit by signal [0-9]+$//'; }

# all_of TARGET...: what it shows is in 'stopped' and 'standing'; no command is left out.
all_of() {
	local command
	complete "$@"
	cp "$T/out" "$T/stopped"
	standing "$@" >"$T/standing" || fail "$* does not show all: $(tail -n 20 "$T/standing")"
	(($(grep -c '^RING ' "$T/standing") == 12)) || fail "there are no rings: $(cat "$T/standing")"
	for command in $("$vswsh" "$@" help | sed -n 's/^  !\([a-z]*\.\)*\([a-z]*\) .*/\2/p'); do
		grep -qE "^> $command( |\$)" "$T/stopped" "$T/standing" || [[ $command == @(top|dump) ]] ||
			fail "$command is not among what is compared"
	done
}

# halt: stops it; what it shows then is what its cores have to show.
halt() {
	kill -STOP "$pid"
	until_true 5 stands "$pid" || fail "it does not stop"
	all_of -p "$pid"
}

# told COUNT PATTERN: so many rows of what stood there are like that.
told() {
	(($(grep -cE "^$2\$" "$T/standing" || :) == $1)) || fail "not $1 times '$2' in: $(cat "$T/standing")"
}

# whole CORE: of a vswd that fell in the midst of its work. Nothing is left to compare it with, so
# each row is judged.
whole() {
	local a='[0-9a-f]{16}' counts
	all_of -z "$1"
	! grep -vE '^    [0-9a-f]{4}  ' "$T/standing" |
		grep -E '^vswsh: |\*\*\*|~$|not in the core|[1-9][0-9]* of them suspicious' ||
		fail "$1 has something to complain of"
	told 8 "RING  $a  [01]  +(to|from) the guest +256 +[0-9]{1,3} +[0-9]{1,3} +vm[12] +up"
	told 4 "RING $a +"
	told 4 "    State +attached"
	told 4 "    Available +[0-9]+ in the guest's memory, seen [0-9]+, taken [0-9]+"
	told 3 "    Judged by +its breadcrumbs: .*"
	told 1 "    Main thread +$pid_of_core, looked at the clock [0-9.]+ m?s ago"
	told 1 "PROC  $a  0 +(\[Not told\]|idle|asleep) +[a-z]+ +[0-9.]+ [mu]?s +($a|\[None\]) +0 +[0-9]+ +[0-9]+ +(vm1|vm2|t1|s:internal|)"
	told 1 "    [0-9]+ +\[Not told\] +\[Not told\] +proc 0"
	told 2 "    Stage +[1-9] \([a-z]+\)"
	told 1 "    Receive queues +4 of 4 NICs, 0 of them without a proc .*"
	told 1 "    QoS lines +0: .*"
	told 1 "    Extensions +0 on 1 switches: .*"
	# What came in went out, was dropped, or was in hand.
	counts=$("$vswsh" -z "$1" <<<$'vport vm1\nvport vm2' | awk '/^    From vNic/ { from = from ? from : $3 }
		/^    To vNic/ { to = $3 } /^    Out / { dropped += $2 } END { print from, to + dropped }')
	((${counts% *} > 1000 && ${counts% *} - ${counts#* } >= 0 && ${counts% *} - ${counts#* } <= 64)) ||
		fail "in $1 so many came and went: $counts"
}

# same CORE: it shows what the process showed that was stopped, to the byte.
same() {
	complete -z "$1"
	diff "$T/stopped" "$T/out" || fail "$1 shows something else"
	standing -z "$1" >"$T/out" || fail "$1 does not show all: $(tail -n 20 "$T/out")"
	diff "$T/standing" "$T/out" || fail "$1 shows something else to stand there"
}

# private CORE: it holds what is the switch's, and nothing of what is a VM's.
private() {
	LC_ALL=C grep -qaF "$marker" "$1" || fail "$1 does not even hold the name of a port"
	! LC_ALL=C grep -qaF "$text" "$1" || fail "$1 holds the memory of a VM"
}

# The VMs' memory as vswd has it mapped.
mapped_text() {
	perl -e '
		my ($pid, $text) = @ARGV;
		open(my $maps, "<", "/proc/$pid/maps") or die;
		open(my $mem, "<:raw", "/proc/$pid/mem") or die;
		while (<$maps>) {
			/^([0-9a-f]+)-([0-9a-f]+) rw.*memfd:guest/ or next;
			sysseek($mem, hex($1), 0);
			sysread($mem, my $bytes, hex($2) - hex($1));
			exit 0 if index($bytes, $text) >= 0;
		}
		exit 1;' "$pid" "$text"
}

# stands PID: it is stopped.
stands() { [[ $(<"/proc/$1/stat") == *") T "* ]]; }

kernel_cores() {
	[[ $(</proc/sys/kernel/core_pattern) != [\|/]* && $(ulimit -Hc) == unlimited ]]
}

by_debugger() {
	gcore -o "$T/gcore" "$pid" >"$T/gcore.log" 2>&1 || fail "gcore: $(cat "$T/gcore.log")"
	mv "$T/gcore.$pid" "$T/debugger.core"
}

trap 'status=$?; kill -CONT "${pid:-}" 2>/dev/null || :; on_exit $status' EXIT # it is asked there
start
source "$(dirname "$0")/hang.sh"
ctl switch add s internal >/dev/null
ctl port add vm1 switch s vhost vm1.sock server >/dev/null
ctl port add vm2 switch s vhost vm2.sock server >/dev/null
ctl port add t1 switch s tap t1 >/dev/null
ctl port set t1 friendly-name "$marker" >/dev/null
traffic
mapped_text || fail "the text is not in the memory of the VMs"
complete -p "$pid"

# Stopped: its core is the same to the byte.
halt
by_debugger
same "$T/debugger.core"
private "$T/debugger.core"
rm "$T/debugger.core"
kill -CONT "$pid"
until_true 5 flows || fail "it does not go on"

# With a filter that leaves out memory files: it says so in the place of the rings' indices.
says_filter() {
	by_debugger
	"$vswsh" -z "$T/debugger.core" vnic vm1 >"$T/out" || fail "the core cannot be read"
	grep -qE '^    Available +guest at \[not in the core: coredump_filter was 0x31\], seen ' "$T/out"
}
filter=$(<"/proc/$pid/coredump_filter")
((16#$filter == 16#7f)) || fail "coredump_filter is $filter"
echo 0x31 >"/proc/$pid/coredump_filter"
until_true 20 says_filter || fail "the rings: $(grep Available "$T/out")"
echo 0x7f >"/proc/$pid/coredump_filter"

# Killed by a fault in the middle of its work.
pid_of_core=$pid
if kernel_cores; then
	echo "the kernel writes the core"
	stop SEGV
	((ended == 128 + 11)) || fail "vswd ended with $ended"
	mv "$(find "$STATE/cores" -type f | head -n 1)" "$T/core" || fail "there is no core"
	"$vswsh" -z "$T/core" <<<"" || fail "the core cannot be opened"
	"$vswsh" -z "$T/core" where | grep -E \
		"^    Ended by +signal 11 \(SIGSEGV\) in thread $pid_of_core, main$" >/dev/null ||
		fail "the signal is not told: $("$vswsh" -z "$T/core" where)"
else
	echo "gcore writes the core: core_pattern is '$(</proc/sys/kernel/core_pattern)'"
	by_debugger
	mv "$T/debugger.core" "$T/core"
	stop SEGV
fi
whole "$T/core"
private "$T/core"
! grep -qF "$text" "$T/stopped" "$T/standing" || fail "the shell shows the memory of a VM"
zstd -q --rm "$T/core"
same "$T/core.zst"
rm "$T/core.zst"
no_traffic

start
traffic
hang vswd
until_true 5 loops "$pid" || fail "the main thread does not hang"
! timeout 1 "$vswctl" -r "$RUN" show switches >/dev/null 2>&1 || fail "the main thread answers"
complete -p "$pid"
stop KILL
no_traffic

start
traffic
tid=$("$vswsh" -p "$pid" proc 0 | sed -n 's/^    Thread  *\([0-9]*\).*/\1/p')
hang_at vring_tx "\$rdx > 0"
until_true 5 loops "$tid" || fail "the proc does not hang"
complete -p "$pid"
grep -q "^    Thread  *$tid (R)$" "$T/out" || fail "the proc's state is not shown"
halt
grep -q '^VNBL ' "$T/standing" || fail "the frames in its hands are not shown: $(cat "$T/standing")"
by_debugger
same "$T/debugger.core"
rm "$T/debugger.core"
if kernel_cores; then
	kill -SEGV "$pid"
	stop CONT
	same "$(find "$STATE/cores" -type f | head -n 1)"
else
	stop KILL
fi
no_traffic
rm -rf "$STATE/cores"
finish
