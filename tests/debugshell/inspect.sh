#!/usr/bin/env bash
# What the shell shows of a vswd made by hand that hangs: where its proc is, the frames in its
# hands, and a guest's ring with everything wrong in it. Running, stopped, and of its core.
. "$(dirname "$0")/lib.sh"

# look TARGET...: what is the same whether it runs or not.
look() {
	local command address
	for command in ring "ring vm3" vnbl "vnbl 0" "vnbl vm3" "vnbl ext:external" vmq qosline extension "help ring" "vmq 1"; do
		echo "> $command"
		# shellcheck disable=SC2086 # words
		"$VSWSH" "$@" $command || echo "result $?"
	done 2>&1 | without_note
	for command in ring "vnbl -x"; do
		for address in $("$VSWSH" "$@" "${command% -x}" 2>/dev/null | awk '/^ *(RING|VNBL) / { print $2 }'); do
			echo "> $command $address"
			# shellcheck disable=SC2086 # words
			"$VSWSH" "$@" $command "$address" 2>&1 | without_note
		done
	done
}

# where TARGET...: with PID for the process, whose number is not of one width.
where() {
	local command
	for command in where "where 0"; do
		echo "> $command"
		# shellcheck disable=SC2086 # words
		"$VSWSH" "$@" $command 2>&1 | without_note | sed "s/\\b$fake\\b/PID/g
			s/^\\(    Main thread *PID\\) ([RS])/\\1/; /^    PID /{s/  */ /g; s/^/   /}"
	done
}

fake "$FAKE" healthy
look -p "$fake" | same inspect.out
where -p "$fake" | sed 's/^\(    PID\) .*/\1/' | same where.out
grep -q 'stuck *egress ' "$expected/where.out" || fail "a proc that stands still is not stuck"
"$VSWSH" -p "$fake" where 2>/dev/null | grep -E "^    $fake +[RS] \\((runs or|sleeps).* main$" >/dev/null ||
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

# In JSON there are values for programs: where to look next at a proc that is stuck,
json -p "$fake" where
is '.rows[0] | [.state, .stage, .frames, .tid] | join(" ")' "stuck egress 4 0"
is .more_information.frames_of_proc_0 "$(jq -r .rows[0].address "$dir/json")"
is '.broken_rings | map(.name) | join(" ")' vm3
json -p "$fake" where 0
is '.objects[0] | [.stage.number, .thread.core, .serves.burst.bytes] | join(" ")' "7 1 1676"
json -p "$fake" vmq
is '[.vmqs, .nics, .queues, .queues_without_proc] | join(" ")' "0 3 3 0"

# where a frame goes,
json -p "$fake" vnbl
frames=$(jq -r '.rows | map(.address) | join(" ")' "$dir/json")
is '[.rows[] | .destination | tostring] | join(", ")' "slot 2, flood, at slot 3, null"
json -p "$fake" vnbl "${frames:17:16}"
is '.objects[0].forwarding_context | [.num_destinations, .destination] | map(tostring) | join(" ")' "2 flood"
is '.objects[0].destinations | map([.port_id, .nic_index, .is_excluded, .preserve_vlan, .preserve_priority, .state, .name] |
	map(tostring) | join(" ")) | join(", ")' \
	"0x0002 0 null false false has its turn ext:external, 0x0003 0 null true false to come vm3"
json -p "$fake" vnbl "${frames:34:16}"
is '.objects[0].forwarding_context | [.num_destinations, .destination.slot, .destination.name] |
	map(tostring) | join(" ")' "1 3 vm3"
json -p "$fake" vnbl "${frames:51:16}"
is '.objects[0] | [.forwarding_context.num_destinations, .destinations] | tostring' "[0,[]]"

# and what is suspicious about a ring.
json -p "$fake" ring
is '[.rows[] | [.number, .size, .waiting, .outstanding, .state, .broken] | map(tostring) | join(" ")] |
	join(", ")' "0 256 10 256 attached false, 1 0 null null stopped true"
rings=$(jq -r '.rows[].address' "$dir/json")
cp "$dir/json" "$dir/list"
for address in $rings; do
	json -p "$fake" ring "$address"
	# It is called what the list calls it.
	is '.objects[0] | [.number, .direction, .name, .broken, .state.name, .state.reason, .use.name] | tostring' \
		"$(jq "(.rows[] | select(.address == \"$address\")) |
			[.number, .direction, .name, .broken, .state, .reason, .use] | tostring" "$dir/list" -r)"
	is .objects[0].more_information.struct "$address"
	is .objects[0].name vm3
done
is '.objects[0].state | [.name, .reason, .detail] | join("; ")' \
	"stopped; descriptor number is out of range; 65535"
json -p "$fake" ring "${rings%%$'\n'*}"
is '.objects[0].indexes | [.available.guest, .available.taken, .waiting, .in_hand] | join(" ")' \
	"300 290 10 245"
is '.objects[0] | [.suspicious, .chains_not_shown, (.outstanding_chains | length)] | join(" ")' "9 195 65"
is '.objects[0].outstanding_chains | [.[] | select(.wrong)] | length' 9
is '.objects[0].outstanding_chains[] | select(.wrong == "head out of range") |
	[.slot, .head, .guest_address] | map(tostring) | join(" ")' "45 999 null"
json -p "$fake" ring nothing
is .error "there is no vnic 'nothing'; vnic without argument lists them"

halt "$fake"
look -p "$fake" | same inspect.out
where -p "$fake" | same where_stopped.out
cores_of "$fake"
for core in "${cores[@]}"; do
	look -z "$core" | same inspect.out
	where -z "$core" | without_signal | same where_stopped.out
	# The one thread is the main one. A debugger's core has no signal.
	[[ $core == *by_kernel* ]] || continue
	"$VSWSH" -z "$core" where 2>/dev/null >"$dir/stdout"
	for row in "Ended by +signal 11 \(SIGSEGV\) in thread $fake, main" \
		"$fake +\[Not told\] +\[Not told\] +main, hit by signal 11"; do
		grep -qE "^    $row\$" "$dir/stdout" || fail "no '$row' in: $(cat "$dir/stdout")"
	done
	json -z "$core" where
	is '[.target, .ended_by.signal, .ended_by.name, .ended_by.thread, .ended_by.role, .threads[0].signal] | join(" ")' \
		"core of process $fake (signal 11) 11 SIGSEGV $fake main 11"
done

# The time that a stopped one was stuck for is not known, but what its breadcrumbs say is.
fake "$FAKE" clock
halt "$fake"
"$VSWSH" -p "$fake" where 2>/dev/null | grep -E '^PROC .* \[Not told\] +egress +0 us ' >/dev/null ||
	fail "the breadcrumbs of a stopped proc: $("$VSWSH" -p "$fake" where 2>&1)"

# Ages count to the moment at which it stopped.
"$VSWSH" -p "$fake" vnbl 2>/dev/null | grep -E '^    VNBL .* 1 +2\.0 s +60 .* BridgeReserved ' >/dev/null ||
	fail "the age of a dropped frame: $("$VSWSH" -p "$fake" vnbl 2>&1)"

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
! "$VSWSH" -p "$fake" vmq >"$dir/stdout" 2>/dev/null || fail "vmq meets no damage"
grep -q '^    VPORT .* \*\*\* .* was a vport, which is destroyed \*\*\*$' "$dir/stdout" ||
	fail "vmq tells of no damaged port: $(cat "$dir/stdout")"
! "$VSWSH" -p "$fake" vnbl >"$dir/stdout" 2>/dev/null || fail "vnbl meets no damage"
grep -q '^PROC .* \*\*\* it counts 1000 frames, which are more than there can be \*\*\*$' "$dir/stdout" ||
	fail "an absurd count is not told: $(cat "$dir/stdout")"
for damage in "it is number 12345 in the place of 4" "it has 200 of 60 bytes, of 128 at most" \
	"direction 1, reason 99"; do
	grep -q "^    VNBL  [0-9a-f]*  \*\*\* [0-9a-f]* is damaged: $damage \*\*\*$" "$dir/stdout" ||
		fail "no '$damage' in: $(cat "$dir/stdout")"
done
grep -q '^    VNBL .* 3 .* \[Gone\] .* NotReady ' "$dir/stdout" || fail "what is whole is not shown"

# The port that the frames came from is destroyed: where they go is not known, but not nowhere.
mapfile -t frames < <(awk '/^VNBL / { print $2 }' "$dir/stdout")
for i in 0 1 2; do
	json -p "$fake" vnbl "${frames[i]}"
	is '.objects[0].forwarding_context | [.num_destinations, .destination.slot? // .destination] |
		map(tostring) | join(" ")' "null $(cut -d ' ' -f $((i + 1)) <<<"2 flood 3")"
	is '.troubles[0].why | sub("^[0-9a-f]+ "; "")' "was a vport, which is destroyed"
	is '.objects[0].destinations | length' 0
	grep -q '^    VPORT .* \*\*\* .* was a vport, which is destroyed \*\*\*$' "$dir/text" ||
		fail "a damaged source is not told: $(cat "$dir/text")"
done
