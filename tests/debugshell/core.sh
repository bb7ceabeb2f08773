#!/usr/bin/env bash
# Cores of a vswd made by hand: their clock, compressed ones, ones that lack something, and the
# program's file as a help.
. "$(dirname "$0")/lib.sh"

# said RESULT 'PATTERN' COMMAND...: what it says on stderr, but for the note on the build.
said() {
	local want=$1 pattern=$2 result=0
	shift 2
	"$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null || result=$?
	[ "$result" = "$want" ] || fail "$* gave $result: $(cat "$dir/stderr")"
	without_note <"$dir/stderr" | grep -qE "^vswsh: $pattern\$" ||
		fail "$* said '$(cat "$dir/stderr")', not '$pattern'"
}

# Times are counted to the moment that the process stopped, on whatever machine it is looked at.
times() {
	for command in proc "proc 0" "fdb ext"; do
		echo "> $command"
		# shellcheck disable=SC2086
		"$VSWSH" "$@" $command
	done 2>&1 | without_note
}
fake "$FAKE" clock
halt "$fake"
times -p "$fake" >"$dir/stopped"
for row in 'As of              2014-06-05 11:47:37' 'Since              10.0 s' \
	'Last frame         0 us ago' 'Load               25.0 %' \
	'00-15-5D-00-01-03  0     Learned  60 '; do
	grep -q "^    $row" "$dir/stopped" || fail "no '$row' in: $(cat "$dir/stopped")"
done
cores_of "$fake"
for core in "${cores[@]}"; do
	times -z "$core" | cmp - "$dir/stopped" || fail "$core has another clock"
done
core=${cores[-1]}
"$VSWSH" -z "$core" vswitch >"$dir/want" 2>/dev/null

# Compressed, whatever it is called. What the tool or the disk has to say is said.
gzip -c "$core" >"$dir/core.gz"
zstd -qc "$core" >"$dir/core.zst"
lz4 -qc "$core" >"$dir/core.lz4"
for suffix in gz zst lz4; do
	"$VSWSH" -z "$dir/core.$suffix" vswitch 2>/dev/null | cmp - "$dir/want" || fail "core.$suffix"
	cp "$dir/core.$suffix" "$dir/renamed"
	"$VSWSH" -z "$dir/renamed" vswitch 2>/dev/null | cmp - "$dir/want" || fail "renamed core.$suffix"
	case $suffix in gz) tool=gzip ;; zst) tool=zstd ;; *) tool=lz4 ;; esac
	said 1 "$dir/core.$suffix is compressed by $tool, which is not installed here; .*" \
		env PATH=/nowhere "$VSWSH" -z "$dir/core.$suffix" vswitch
	head -c 20 "$dir/core.$suffix" >"$dir/cut"
	said 1 "$dir/cut cannot be unpacked: $tool: .*[a-z].*" "$VSWSH" -z "$dir/cut" vswitch
	said 1 "no temporary file can be made in /nowhere: .*" \
		env TMPDIR=/nowhere "$VSWSH" -z "$dir/core.$suffix" vswitch
done
head -c -3 "$dir/core.gz" >"$dir/cut"
said 0 "$dir/cut is cut off or damaged; what could be unpacked of it is shown \\(gzip: .*end of file\\)" \
	"$VSWSH" -z "$dir/cut" vswitch
cmp "$dir/stdout" "$dir/want" || fail "a core.gz that lacks three bytes"
mkdir "$dir/small"
said 1 "unpacking $dir/core.gz would leave less than 256 MB free in $dir/small; .*" \
	unshare --mount --propagation private sh -c "mount -t tmpfs -o size=64k tmpfs $dir/small &&
		TMPDIR=$dir/small exec $VSWSH -z $dir/core.gz vswitch"

# Not a core that can be read.
said 1 "cannot open $dir/nothing: No such file or directory" "$VSWSH" -z "$dir/nothing" vswitch
said 1 "$dir is not a file" "$VSWSH" -z "$dir" vswitch
mkfifo "$dir/fifo"
said 1 "$dir/fifo is not a file" "$VSWSH" -z "$dir/fifo" vswitch
ln -s "$core" "$dir/link"
"$VSWSH" -z "$dir/link" vswitch 2>/dev/null | cmp - "$dir/want" || fail "a link to a core"

# A disk that ran full. The objects are in the first half, the rest is told to be missing.
size=$(stat -c %s "$core")
head -c $((size * 9 / 10)) "$core" >"$dir/cut"
said 0 "$dir/cut is cut off: [0-9]* of $size bytes are there" "$VSWSH" -z "$dir/cut" vswitch

# Somebody else's.
(
	cd "$dir"
	ulimit -c unlimited 2>/dev/null || :
	exec sleep 1000
) &
other=$!
pids+=("$other")
disown "$other"
until [ "$(cat "/proc/$other/comm")" = sleep ]; do
	:
done
cores_of "$other"
said 1 "core of process $other( \\(signal [0-9]*\\))? is not vswd's: it is of 'sleep'" \
	"$VSWSH" -z "${cores[-1]}" vswitch

# The program's file: the same build, or none.
"$VSWSH" -z "$core" -y "$FAKE" vswitch 2>/dev/null | cmp - "$dir/want" || fail "with -y"
said 1 "cannot open $dir/nothing: .*" "$VSWSH" -z "$core" -y "$dir/nothing" vswitch
said 1 "$core is not a program of this kind of machine" "$VSWSH" -z "$core" -y "$core" vswitch
said 1 "$VSWSH is of build [0-9a-f]{40}, but the core's program is of [0-9a-f]{40}" \
	"$VSWSH" -z "$core" -y "$VSWSH" vswitch
objcopy --remove-section .note.gnu.build-id "$FAKE" "$dir/nameless"
said 1 "$dir/nameless has no build id that would tell its build" \
	"$VSWSH" -z "$core" -y "$dir/nameless" vswitch

# What a core lacks is told, not shown as zeros.
# hidden FILTER: a fake vswd with memory in places that cores leave out.
hidden() {
	printf '#!/bin/sh\necho %s >/proc/self/coredump_filter\nexec %s "$@"\n' "$1" "$FAKE" \
		>"$dir/filtered"
	chmod +x "$dir/filtered"
	fake "$dir/filtered" hidden
	halt "$fake"
	"$VSWSH" -p "$fake" vport 2>/dev/null >"$dir/stopped"
	grep -q 'int:default$' "$dir/stopped" || fail "the port is not there to begin with"
	grep -q 'int:internal$' "$dir/stopped" || fail "the port is not there to begin with"
	cores_of "$fake"
}
address_of() { sed -n "s/^VPORT  \\([0-9a-f]*\\) .* $1\$/\\1/p" "$dir/stopped"; }
hidden 0x33
for core in "${cores[@]}"; do
	for port in default internal; do
		at=$(address_of "int:$port")
		said 1 "$at cannot be read: not in the core: coredump_filter was 0x33" \
			"$VSWSH" -z "$core" vport "$at"
	done
	result=0
	"$VSWSH" -z "$core" vport >"$dir/stdout" 2>/dev/null || result=$?
	[ "$result" = 1 ] || fail "a list with gaps gave $result"
	grep -q "\\*\\*\\* $at cannot be read: not in the core: coredump_filter was 0x33 \\*\\*\\*" \
		"$dir/stdout" || fail "the gap is not in the list: $(cat "$dir/stdout")"
	grep -q 'priv:default$' "$dir/stdout" || fail "the list ends at the gap"
done
hidden 0x7f
for core in "${cores[@]}"; do
	"$VSWSH" -z "$core" vport "$(address_of int:default)" >/dev/null 2>&1 ||
		fail "what 0x7f takes in is not in $core"
	at=$(address_of int:internal)
	said 1 "$at cannot be read: not in the core: guest memory, a device, or its filter was not the noted 0x7f" \
		"$VSWSH" -z "$core" vport "$at"
done

# A process in an endless loop.
fake "$FAKE" spinning
for command in vswitch vport vnic proc fdb drops miniport mopen; do
	timeout 10 "$VSWSH" -p "$fake" $command >"$dir/stdout" 2>/dev/null || fail "$command of a loop"
	[ -s "$dir/stdout" ] || fail "$command of a loop shows nothing"
done
