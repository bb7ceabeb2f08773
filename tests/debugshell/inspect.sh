#!/usr/bin/env bash
# What the shell shows of a vswd made by hand that hangs: where its proc is, the frames in its
# hands, and a guest's ring with everything wrong in it. Running, stopped, and of its core.
. "$(dirname "$0")/lib.sh"

# look TARGET...: what is the same whether it runs or not.
look() {
	local command address
	for command in ring "ring vm3" vnbl "vnbl 0" vmq qosline extension "help ring" "vmq 1"; do
		echo "> $command"
		# shellcheck disable=SC2086 # words
		"$VSWSH" "$@" $command || echo "result $?"
	done 2>&1 | without_note
	for command in ring "vnbl -x"; do
		for address in $("$VSWSH" "$@" "${command% -x}" 2>/dev/null | awk '/^(RING|VNBL) / { print $2 }'); do
			echo "> $command $address"
			# shellcheck disable=SC2086 # words
			"$VSWSH" "$@" $command "$address" 2>&1 | without_note
		done
	done
}

# where TARGET...: without what differs between a process and its core: the states of threads.
where() {
	local command
	for command in where "where 0"; do
		echo "> $command"
		# shellcheck disable=SC2086 # words
		"$VSWSH" "$@" $command 2>&1 | without_note | sed "s/\\b$fake\\b/PID/g; s/^\\(    Main thread *PID\\) ([RS])/\\1/"
	done
}
without_threads() { sed '/^THREADS$/,/^BROKEN/d'; }

fake "$FAKE" healthy
look -p "$fake" | same inspect.out
where -p "$fake" | sed 's/^\(    PID\) .*/\1/' | same where.out
grep -q 'stuck *egress ' "$expected/where.out" || fail "a proc that stands still is not stuck"
"$VSWSH" -p "$fake" where 2>/dev/null | grep -qE "^    $fake +[RS] \\((runs or|sleeps).* main$" ||
	fail "the main thread is not shown"

# Rings and frames are no objects, but their addresses alone show them, if they are theirs.
for command in ring vnbl; do
	address=$("$VSWSH" -p "$fake" $command 2>/dev/null | awk '/^(RING|VNBL) / { print $2; exit }')
	cmp <("$VSWSH" -p "$fake" $command "$address" 2>&1) <("$VSWSH" -p "$fake" "$address" 2>&1) ||
		fail "$command by its address alone"
	wrong=$(printf '%016x' $((16#$address + 8)))
	! "$VSWSH" -p "$fake" $command "$wrong" >"$dir/stdout" 2>"$dir/stderr" ||
		fail "$command of a wrong address"
	grep -q "^vswsh: $wrong is no " "$dir/stderr" || fail "$command: $(cat "$dir/stderr")"
done

halt "$fake"
look -p "$fake" | same inspect.out
where -p "$fake" | without_threads | same where_stopped.out
cores_of "$fake"
for core in "${cores[@]}"; do
	look -z "$core" | same inspect.out
	where -z "$core" | without_threads | same where_stopped.out
done

# The time that a stopped one was stuck for is not known, but what its breadcrumbs say is.
fake "$FAKE" clock
halt "$fake"
"$VSWSH" -p "$fake" where 2>/dev/null | grep -qE '^PROC .* \[Not told\] +egress +0 us ' ||
	fail "the breadcrumbs of a stopped proc: $("$VSWSH" -p "$fake" where 2>&1)"

# Damage is met without harm.
fake "$FAKE" damaged
for command in where ring vnbl vmq qosline extension "where 0" "vnbl 0"; do
	# shellcheck disable=SC2086 # words
	timeout 10 "$VSWSH" -p "$fake" $command >"$dir/stdout" 2>&1 || (($? == 1)) ||
		fail "$command of a damaged vswd: $(cat "$dir/stdout")"
	[ -s "$dir/stdout" ] || fail "$command of a damaged vswd shows nothing"
done
! "$VSWSH" -p "$fake" ring >"$dir/stdout" 2>/dev/null || fail "ring meets no damage"
grep -q '^VPORT .* \*\*\* .* was a vport, which is destroyed \*\*\*$' "$dir/stdout" ||
	fail "a damaged port is not told: $(cat "$dir/stdout")"
