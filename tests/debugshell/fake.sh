#!/usr/bin/env bash
# Everything that the shell shows of a healthy vswd made by hand, running, stopped, and of its
# core; then of one that is damaged in every way we could think of.
. "$(dirname "$0")/lib.sh"

# everything TARGET...
everything() {
	local command
	for command in help vport vnic proc fdb drops miniport mopen "vport ext:internal" "vport vm3" \
		"vnic vm3" "proc 0" "proc proc0" "fdb ext" "fdb ext:internal" "drops ext" \
		"drops vm3" "help fdb"; do
		echo "> $command"
		# shellcheck disable=SC2086
		"$VSWSH" "$@" $command || echo "result $?"
	done 2>&1 | without_note | sed "s:$BUILD:BUILD:"
}

fake "$FAKE" healthy
switches -p "$fake" 2>&1 | without_note | same vswitch.out
everything -p "$fake" | same healthy.out

# All ways to write a command are one, and an address alone shows what is there.
ext=$(address -p "$fake" "External Demo")
for words in '!nvkd.vswitch' '!vswitch'; do
	cmp <("$VSWSH" -p "$fake" vswitch 2>/dev/null) <("$VSWSH" -p "$fake" "$words" 2>/dev/null) || fail "$words"
done
"$VSWSH" -p "$fake" vswitch "$ext" >"$dir/by_address" 2>/dev/null
for words in "vswitch ext" "vswitch 0x$ext" "vswitch ${ext:0:8}\`${ext:8}" "$ext" \
	"!nvkd.vswitch $ext" "vswitch ${ext#0000}" "${ext#0000}" "0x${ext#0000}"; do
	# shellcheck disable=SC2086
	cmp "$dir/by_address" <("$VSWSH" -p "$fake" $words 2>/dev/null) || fail "$words"
	cmp "$dir/by_address" <(echo "$words" | "$VSWSH" -p "$fake" 2>/dev/null) || fail "$words, typed"
done
cmp "$dir/by_address" <(echo 'vswitch "External Demo"' | "$VSWSH" -p "$fake" 2>/dev/null) || fail "quotes"

# The edges of a switch are shown by their addresses, and by their switch.
for command in miniport mopen; do
	edge=$("$VSWSH" -p "$fake" vswitch ext 2>/dev/null | sed -n "s/.*!ndiskd\.$command //p")
	for word in ext "External Demo" "$ext"; do
		cmp <("$VSWSH" -p "$fake" $command "$edge" 2>&1) <("$VSWSH" -p "$fake" $command "$word" 2>&1) ||
			fail "$command $word"
	done
done

# Every address that is printed is a command: none is told to be rubbish, but that of the
# buckets, of rings and of policies, which are no objects.
everything -p "$fake" | grep -vE 'Buckets|!dt ' | grep -oE '0000[5-7][0-9a-f]{11}' | sort -u >"$dir/addresses"
[ "$(wc -l <"$dir/addresses")" -ge 20 ] || fail "too few addresses"
while read -r address; do
	"$VSWSH" -p "$fake" "$address" >"$dir/shown" 2>&1 || fail "$address shows nothing"
	grep -q "$address" "$dir/shown" || fail "$address shows something else"
done <"$dir/addresses"

# In JSON there are values for programs.
json -p "$fake" vport vm3
is '.objects[0].access_control | [.rules, .sessions.count, .sessions.max, .refused] | join(" ")' "5 29 128 3"
is '.objects[0].rules[0] | [.rule, .kind, .direction, .action, .remote, .frames, .bytes] | join(" ")' \
	"1 basic in deny 192.0.2.0/24 7 420"
is '.objects[0].rules[3] | [.weight, .protocol, .local, .remote_ports, .idle_s] | join(" ")' "100 tcp 10.0.0.1 80-90 255"
is '.objects[0].sessions | [length, .[1].vlan, .[1].remote, .[1].state] | join(" ")' "20 7 fe80::2 SYN received"
is '[.objects[0].learned_addresses[].address] | join(" ")' "10.0.0.99 2001:db8::63"
json -p "$fake" vnic vm3
is '.objects[0].state | [.kind.name, .state.number, .mtu, .since_unix_s] | join(" ")' "vhost 3 1500 1401968757"
is '.objects[0].vhost | [.peer.process, .connections.taken, .negotiated_names[0]] | join(" ")' "4711 2 VERSION_1"
is '.objects[0].ring_0_to_the_guest | [.available.guest, .attached, .mergeable] | join(" ")' "300 1 true"
is '.objects[0].ring_1_from_the_guest.state | [.name, .detail] | join(" ")' "stopped 65535"
json -p "$fake" vnic
is '[.rows[] | .kind + " " + .path] | join(", ")' "tap vsw-ext, packet eth1, vhost /run/vsw/vm3.sock"
json -p "$fake" fdb ext
is '.objects[0] | [.n_stations, .max_stations, .ageing.seconds, .counters.moved] | join(" ")' "3 64 300 0"
is '[.objects[0].stations[] | [.type, .vlan, .age_s, .slot, .name] | map(tostring) | join(" ")] | join(", ")' \
	"Learned 0 0 2 ext:external, Static 7 null 1 ext:internal, Static 7 null 77 null"
json -p "$fake" mopen "$(jq -r .rows[0].address <("$VSWSH" -j -p "$fake" mopen 2>/dev/null))"
is .objects[0].state.protocol.name VmsExtPtStateRunning

# The process is not asked. Its core is the same to the byte.
halt "$fake"
switches -p "$fake" 2>&1 | without_note | same vswitch.out
everything -p "$fake" | same healthy.out
everything -p "$fake" >"$dir/stopped"
cores_of "$fake"
for core in "${cores[@]}"; do
	switches -z "$core" 2>&1 | without_note | same vswitch.out
	everything -z "$core" | cmp - "$dir/stopped" || fail "$core shows something else"
done

# damage TARGET...
damage() {
	local command
	for command in vswitch "vswitch ext" "vswitch int" "vswitch priv" vport vnic proc "proc 0" fdb \
		"fdb ext" drops miniport mopen "vport acl"{0..10}; do
		echo "> $command"
		# shellcheck disable=SC2086
		"$VSWSH" "$@" $command 2>&1 || echo "result $?"
	done | without_note
}

fake "$FAKE" damaged
damage -p "$fake" | same damaged.out
halt "$fake"
damage -p "$fake" >"$dir/stopped"
cores_of "$fake"
for core in "${cores[@]}"; do
	damage -z "$core" | cmp - "$dir/stopped" || fail "$core shows other damage"
done

# A name comes before an address without its zeros, and columns are of characters, not of bytes.
fake "$FAKE" names
for command in vport drops fdb vnbl; do
	"$VSWSH" -p "$fake" $command deadbeef >"$dir/stdout" 2>"$dir/stderr" || fail "$command: $(cat "$dir/stderr")"
done
"$VSWSH" -p "$fake" vnic 2>/dev/null | perl -CSD -ne '$at = index($_, "Path") if /^Type/;
	$n += index($_, "/run/vsw") == $at if /\x{fc}ber/; END { exit($n != 1) }' ||
	fail "a name shifts its row: $("$VSWSH" -p "$fake" vnic)"

# A big table takes seconds, not minutes.
fake "$FAKE" 1000000
start=$SECONDS
[ "$("$VSWSH" -p "$fake" fdb ext 2>/dev/null | grep -c Learned)" -ge 1000000 ] || fail "stations are missing"
[ $((SECONDS - start)) -le 20 ] || fail "a million stations took $((SECONDS - start)) s"
