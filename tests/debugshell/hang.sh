# shellcheck shell=bash
#
# Making a thread of a vswd hang. Needs $pid, $T for files, and fail().

: "${pid?}" "${T:?}"

# hang THREAD: makes it jump to where it stands, for good. A system call that it was in does not
# begin again, or it would stand before that place.
hang() {
	local number
	number=$(gdb -p "$pid" -batch -ex 'info threads' 2>/dev/null |
		sed -n "s/^[* ]*\\([0-9]*\\) .*\"$1\".*/\\1/p" | head -n 1)
	[[ -n $number ]] || fail "there is no thread $1"
	gdb -p "$pid" -batch -ex "thread $number" -ex "set var *(short *)&_start = (short)0xfeeb" \
		-ex "set var \$orig_rax = -1" -ex "set var \$pc = &_start" >"$T/gdb.log" 2>&1 || fail "gdb: $(cat "$T/gdb.log")"
}

# loops TID: it computes, without end.
loops() {
	local before
	before=$(ticks "$1")
	sleep 0.1
	(($(ticks "$1") > before))
}
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/task/$1/stat"; }

# hang_at FUNCTION CONDITION: makes the thread that calls it next with registers that fulfil the
# condition stay at its first instruction, for good.
hang_at() {
	timeout 60 gdb -p "$pid" -batch -ex "break *$1 if $2" -ex continue -ex delete \
		-ex "set var *(short *)\$pc = (short)0xfeeb" >"$T/gdb.log" 2>&1 || fail "gdb: $(cat "$T/gdb.log")"
	grep -q 'hit Breakpoint' "$T/gdb.log" || fail "nothing comes to $1: $(cat "$T/gdb.log")"
}
