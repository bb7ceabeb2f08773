#!/usr/bin/env bash
# Policies that are damaged: pointers that lead nowhere, modes, VLANs and counts that cannot be.
# Each is told with its address in the place of the rows, and all else of the port is shown.
. "$(dirname "$0")/lib.sh"

# What is wrong with the policy of each port; nothing with that of vm3 and of priv:default.
declare -A wrong=(
	["ext:default"]="0000000000000010 .*cannot be read.*"
	["ext:internal"]="ffffffffffffffff .*cannot be read.*"
	["ext:external"]="[0-9a-f]{16} .*its? .*255 addresses to send from"
	[vm5]="[0-9a-f]{16} .*its VLAN mode is 99"
	[vm4]="[0-9a-f]{16} .*its VLAN is 65535"
	["int:default"]="[0-9a-f]{16} .*its? .*255 addresses to announce"
	["int:internal"]="[0-9a-f]{16} .*its VLAN mode is 255"
)

# Its access list and its learned addresses lead nowhere, too, its limit of addresses cannot be; each
# is told for itself.
declare -A damages=(["int:internal"]=4)

# look TARGET...: all that a policy is part of; each port is judged on the way.
look() {
	local port result title
	for port in "${!wrong[@]}"; do
		result=0
		timeout 10 "$VSWSH" "$@" vport "$port" >"$dir/port" 2>/dev/null || result=$?
		[ "$result" = 1 ] || fail "vport $port gave $result: $(cat "$dir/port")"
		grep -qE "^    POLICY  ${wrong[$port]}  *\*\*\*$" "$dir/port" || fail "$port: $(cat "$dir/port")"
		[ "$(grep -c '\*\*\*' "$dir/port")" = "${damages[$port]-1}" ] ||
			fail "$port has other damage: $(cat "$dir/port")"
		grep -q '^    Carries' "$dir/port" && fail "what is damaged is shown: $(cat "$dir/port")"
		for row in '    Static MAC  *\[None\]' '    Stations at most  *\[' COUNTERS '    From vNic  *[0-9]' \
			'MORE INFORMATION'; do
			grep -q "^$row" "$dir/port" || fail "$port lacks '$row': $(cat "$dir/port")"
		done
		json "$@" vport "$port"
		[[ $port != int:internal ]] ||
			grep -qE '^    LIMIT  [0-9a-f]{16}  \*\*\* it is 255 addresses, which cannot be \*\*\*$' "$dir/port" ||
			fail "$port has a limit: $(cat "$dir/port")"
		[[ $port != int:internal ]] || for title in ACL LEARNED; do
			grep -q "^    $title  f\{16\}  \*\*\* it cannot be read: .* \*\*\*$" "$dir/port" ||
				fail "$port lacks its $title: $(cat "$dir/port")"
		done
		is '.objects[0].policy | has("carries") or has("sends_from")' false
		is '.objects[0].more_information | length' 2
	done
	for port in vm3 priv:default; do
		timeout 10 "$VSWSH" "$@" vport "$port" >"$dir/port" 2>/dev/null || fail "vport $port: $(cat "$dir/port")"
		grep -q '^    Policy .*dt policy ' "$dir/port" || fail "$port has no policy: $(cat "$dir/port")"
	done
	# The longest list of VLANs that there can be.
	[ "$(grep -oE '\b[0-9]+\b' <(sed -n '/^    Carries/,/^    Takes tags/p' "$dir/port") | wc -l)" = 2048 ] ||
		fail "not every second VLAN: $(cat "$dir/port")"
	for command in vswitch "vswitch ext" vport vnic proc "proc 0" where "where 0" vnbl "vnbl 0" drops fdb ring top; do
		# shellcheck disable=SC2086 # words
		timeout 20 "$VSWSH" "$@" $command >"$dir/stdout" 2>&1 || [[ $command == top ]] ||
			fail "$command: $(cat "$dir/stdout")"
	done
	for port in "${!wrong[@]}" vm3 priv:default; do
		"$VSWSH" "$@" vport "$port" 2>/dev/null || :
	done
}

fake "$FAKE" policies
look -p "$fake" >"$dir/live"
halt "$fake"
look -p "$fake" | diff "$dir/live" - || fail "the stopped process shows something else"
# What a dump can follow it holds.
if "$VSWSH" -p "$fake" dump "$dir/dump" >"$dir/stdout" 2>&1; then
	look -z "$dir/dump" | sed 's/not in the dump/nothing is mapped there/' >"$dir/dumped"
	diff "$dir/live" "$dir/dumped" || fail "the dump shows something else"
else
	grep -q 'without which frames cannot be told' "$dir/stdout" || fail "dump: $(cat "$dir/stdout")"
fi
cores_of "$fake"
for core in "${cores[@]}"; do
	look -z "$core" | diff "$dir/live" - || fail "$core shows something else"
done
