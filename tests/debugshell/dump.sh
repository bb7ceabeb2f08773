#!/usr/bin/env bash
# A dump of a vswd made by hand shows what the process shows, also compressed, as a dump of a core
# and as a dump of a dump. It is whole or it is not there, and takes no other file's place.
. "$(dirname "$0")/lib.sh"

fake "$FAKE" healthy
if [[ $("$VSWSH" -p "$fake" dump "$dir/first" 2>&1) == *"without which frames cannot be told"* ]]; then
	echo "this compiler makes no type data"
	exit 77
fi

# everything TARGET...: what each command shows of each object.
everything() {
	local - command
	set -f # patterns are for dt
	for command in vswitch vport vnic proc fdb drops miniport mopen lm lmi "lmi libc" \
		"vswitch ext" "vswitch int" "vswitch priv" "vport ext:internal" "vport vm3" \
		"vnic ext:internal" "vnic ext:external" "vnic vm3" "proc 0" "fdb ext" "drops ext" \
		where "where 0" ring "ring vm3" vnbl "vnbl 0" vmq qosline extension \
		"dt -r vswitch ext" "dt -r vport vm3" "dt -r1 vhost vm3" "dt proc 0" \
		"dt -r vsw_root $root" "dt -r acl $acl" "dt conntrack $sessions" \
		"dt conntrack_entry $last" "dt *"; do
		echo "> $command"
		# shellcheck disable=SC2086
		"$VSWSH" "$@" $command || echo "result $?"
	done 2>&1
}

# What a guest wrote is not in a dump: a ring's indexes that are in its memory, and frames.
without_guest() {
	sed -E 's/^(    Available +guest at )([0-9]+|\[not in the dump\]),/\1GUEST,/
		s/^(    Used +in memory )([0-9]+|\[not in the dump\]),/\1GUEST,/
		s/^(RING .* the guest +[0-9]+) +(\[Not there\]|\S+) +(\[Not there\]|\S+) +/\1 GUEST /
		s/^( *VNBL .*) (\[Not there\]|Ethernet.*)$/\1 FRAME/'
}

# same_as_stopped FILE
same_as_stopped() {
	everything -z "$1" | without_guest | without_signal | diff "$dir/stopped" - || fail "$1 shows something else"
}

root=$("$VSWSH" -p "$fake" lmi | sed -n 's/.*!dt vsw_root //p')
# A session that vport does not show, for it is not among the first: its table is there as a whole.
json -p "$fake" vport vm3
acl=$(jq -r .objects[0].access_control.acl "$dir/json")
sessions=$(jq -r .objects[0].access_control.table "$dir/json")
json -p "$fake" dt conntrack "$sessions"
last=$(printf '%016x' $((0x$(jq -r '.fields[] | select(.name == "entries").value' "$dir/json") + (29 * 8 + 5) * 64)))
halt "$fake"
everything -p "$fake" >"$dir/with_guest"
grep -q 'guest at 300, seen 299' "$dir/with_guest" || fail "no index of the guest is shown"
without_guest <"$dir/with_guest" >"$dir/stopped"
grep -q 'remote_port *: 0x50$' <("$VSWSH" -p "$fake" dt -r conntrack_entry "$last") || fail "no session is at $last"

# What it says, and what it makes.
mkdir "$dir/there"
cd "$dir/there"
"$VSWSH" -p "$fake" dump small >"$dir/said" 2>"$dir/stderr" || fail "$(cat "$dir/stderr")"
[ ! -s "$dir/stderr" ] || fail "dump complains: $(cat "$dir/stderr")"
for row in "DUMP of process $fake" "    File               small" \
	"    Size               $(stat -c %s small) bytes" \
	"    Look at it with    vswsh -z small"; do
	grep -qx "$row" "$dir/said" || fail "no '$row' in: $(cat "$dir/said")"
done
[ "$(stat -c %a small)" = 600 ] || fail "others may read the dump"
same_as_stopped small
"$VSWSH" -z small vnic vm3 2>/dev/null | grep 'guest at \[not in the dump\], seen 299' >/dev/null ||
	fail "what a dump lacks is not told"
for command in ring vnbl; do
	address=$("$VSWSH" -z small $command 2>/dev/null | awk '/^(RING|VNBL) / { print $2; exit }')
	"$VSWSH" -z small $command "$address" 2>/dev/null | grep 'not in the dump\]$' >/dev/null ||
		fail "what a dump lacks of a $command is not told"
done
"$VSWSH" -z small -j dump in_json >"$dir/json" || fail "a dump that tells of itself in JSON"
is .file in_json
is .size "$(stat -c %s in_json)"
is '.memory.pieces > 10' true
is .torn null
same_as_stopped in_json
json -z small dump in_json
is .error "in_json exists, and is not overwritten"
readelf -hW small | grep -q 'Type:  *CORE' || fail "it is no core"
readelf -nW small 2>/dev/null | grep -q '^  VSW ' || fail "the own note is missing"
for suffix in gz zst lz4; do
	"$VSWSH" -p "$fake" dump "small.$suffix" >/dev/null || fail "compressed by $suffix"
	[ "$(stat -c %s "small.$suffix")" -lt $(($(stat -c %s small) / 4)) ] || fail "$suffix is large"
	same_as_stopped "small.$suffix"
done
"$VSWSH" -z small.gz dump again >/dev/null || fail "a dump of a dump"
cmp -s <("$VSWSH" -z again lmi) <("$VSWSH" -z small lmi) || fail "the dump of a dump is another"
same_as_stopped again

# What is typed for another one is one word of the shell.
"$VSWSH" -z small dump "it's a dump" >"$dir/said" || fail "a name with blanks"
eval "set -- $(sed -n 's/^    Look at it with *vswsh -z //p' "$dir/said")"
[ "$#" = 1 ] && [ "$1" = "it's a dump" ] || fail "it is not quoted: $(cat "$dir/said")"
rm "$1"

# No frame: there is no byte of a payload's field in it.
"$VSWSH" -z small dt tap ext:internal 2>/dev/null |
	grep -q ' arena  *: \[[0-9]*\] \[not in the dump\]$' || fail "the arena is in the dump"
"$VSWSH" -z small dt proc.burst.frames[3].safe 0 2>/dev/null | grep '\[not in the dump\]$' >/dev/null ||
	fail "safe bytes are in the dump"

# Refusals; nothing is left of them, and what was there stays.
# refused 'PATTERN' COMMAND...
refused() {
	local pattern=$1 before after
	shift
	before=$(ls -A)
	"$@" >"$dir/stdout" 2>"$dir/stderr" && fail "$* is done"
	grep -qE "^vswsh: $pattern\$" "$dir/stderr" || fail "$* said '$(cat "$dir/stderr")'"
	[ "$(wc -l <"$dir/stderr")" = 1 ] || fail "$* did not say one sentence"
	after=$(ls -A)
	[ "$before" = "$after" ] || fail "$* left something: $after"
}
echo precious >old
ln -s nowhere link
refused "old exists, and is not overwritten" "$VSWSH" -p "$fake" dump old
[ "$(cat old)" = precious ] || fail "a file was overwritten"
refused "link exists, and is not overwritten" "$VSWSH" -p "$fake" dump link
refused "$dir/there exists, and is not overwritten" "$VSWSH" -p "$fake" dump "$dir/there"
refused "cannot write nowhere/small: No such file or directory" \
	"$VSWSH" -p "$fake" dump nowhere/small
refused "say where to: .*" "$VSWSH" -p "$fake" dump
refused "dump takes one argument at most: .*" "$VSWSH" -p "$fake" dump a b
refused "gzip is needed for new.gz, and is not installed" \
	env PATH=/nowhere "$VSWSH" -p "$fake" dump new.gz

# A disk that runs full.
mkdir disk
full() {
	unshare --mount --propagation private sh -c "mount -t tmpfs -o size=8k tmpfs $dir/there/disk
		$VSWSH -p $fake dump $dir/there/disk/$1 && exit
		ls -A $dir/there/disk
		exit 1"
}
for name in small small.gz; do
	full "$name" >"$dir/stdout" 2>"$dir/stderr" && fail "$name fits"
	grep -qE "^vswsh: cannot write .*/$name: .*No space left on device" "$dir/stderr" ||
		fail "full disk: $(cat "$dir/stderr")"
	[ ! -s "$dir/stdout" ] || fail "half a dump was left: $(cat "$dir/stdout")"
done
# Cores can be made small, and a dump of a process that runs has all of it as well.
kill -CONT "$fake"
"$VSWSH" -p "$fake" dump running >/dev/null || fail "while it runs"
same_as_stopped running
halt "$fake"
cores_of "$fake"
for core in "${cores[@]}"; do
	rm -f by_core
	"$VSWSH" -z "$core" dump by_core >/dev/null 2>"$dir/stderr" || fail "$core: $(cat "$dir/stderr")"
	same_as_stopped by_core
	cmp <("$VSWSH" -z "$core" where 2>&1) <("$VSWSH" -z by_core where 2>&1) || fail "another signal"
	[ "$(stat -c %s by_core)" -lt $(($(stat -c %s "$core") / 2)) ] || fail "the core is as small"
done

# Damage is in the dump as it is in the process.
fake "$FAKE" damaged
halt "$fake"
"$VSWSH" -p "$fake" dump damaged >/dev/null 2>"$dir/stderr" || fail "damaged: $(cat "$dir/stderr")"
damage() {
	local command
	for command in vswitch "vswitch ext" "vswitch int" vport vnic proc "proc 0" fdb "fdb ext" drops \
		miniport mopen "vport acl"{0..8}; do
		# shellcheck disable=SC2086
		"$VSWSH" "$@" $command 2>&1 || echo "result $?"
	done
}
damage -p "$fake" >"$dir/stopped"
damage -z damaged | diff "$dir/stopped" - || fail "the damage is another one"

# A large table is copied, not printed.
fake "$FAKE" 1000000
start=$SECONDS
"$VSWSH" -p "$fake" dump large.gz >/dev/null || fail "a large table"
[ $((SECONDS - start)) -le 10 ] || fail "a million stations took $((SECONDS - start)) s"
[ "$("$VSWSH" -z large.gz fdb ext 2>/dev/null | grep -c Learned)" -ge 1000000 ] ||
	fail "stations are missing"
