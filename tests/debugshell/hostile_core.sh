#!/usr/bin/env bash
# Cores that nobody's kernel wrote: each is refused with one sentence, or shown with a sentence in
# the place of what is wrong, in bounded time.
. "$(dirname "$0")/lib.sh"

MAKE=$BUILD/tests/debugshell/make_core
cd "$dir"

# shown KIND RESULT COMMAND...: runs it on the core of that kind within 20 seconds; what it said is
# in 'stdout' and 'stderr'.
shown() {
	local want=$2 result=0
	"$MAKE" "$1" >"$1" || fail "there is no core of kind $1 ($?, $(df -h . | tail -n 1))"
	timeout 20 "$VSWSH" -z "$1" "${@:3}" >stdout 2>all </dev/null || result=$?
	grep -v 'carries no type data' all >stderr || :
	[ "$result" = "$want" ] || fail "${*:3} of $1 gave $result: $(head -n 5 stderr)"
	rm "$1"
}

refused() {
	shown "$1" 1 vswitch
	[ ! -s stdout ] || fail "$1 is shown"
	if ! grep -qE "^vswsh: $2\$" stderr || [ "$(wc -l <stderr)" != "${3:-1}" ]; then
		fail "$1 said '$(cat stderr)', not '$2'"
	fi
}

shown valid 0 vswitch
[ ! -s stderr ] || fail "a valid core: $(cat stderr)"

refused empty "empty is empty"
refused text "text is no core: it is not an ELF file"
refused half_a_header "half_a_header is cut off in its first header"
refused header_only "header_only is cut off or damaged: its 64 bytes do not hold its 3 program headers"
refused elf32 "elf32 is of a 32-bit program; vswd has 64 bits"
refused big_endian "big_endian is of another kind of machine"
refused arm "arm is of another kind of machine \\(183, not 62\\)"
refused program "program is no core but a program; -y is for the program"
refused object_file "object_file is no core but another ELF file \\(type 1\\)"
refused of_sleep "core of process 4711 \\(signal 11\\) is not vswd's: it is of 'sleep'"
refused no_magic "core of process 4711 \\(signal 11\\) holds no root of a vswd: it is damaged or left out"
refused no_headers "no_headers is damaged: it has 0 program headers"
refused many_headers "many_headers is cut off or damaged: .* do not hold its 65000 program headers"
refused uncounted_headers "uncounted_headers is cut off or damaged: .* do not hold its 4294967295 program headers"
refused headers_beyond "headers_beyond is cut off or damaged: .* do not hold its 3 program headers"
refused small_headers "small_headers is damaged: its program headers have 1 bytes"
refused overlapping "overlapping is damaged: its segments of 0000200000000000 and 0000200000000040 overlap"
refused wrapping "wrapping is damaged: the segment of ffffffffffffff9b is at .*"
refused far_offset "far_offset is damaged: the segment of 0000200000000000 is at 18446744073709551515 .*"
refused cut_before_root "core of process 4711 \\(signal 11\\) holds no root of a vswd in what there is of it" 2
refused shared_bytes "core of process 4711 \\(signal 11\\) holds no root of a vswd in what there is of it" 2

# Notes that lead nowhere cost what they would have told, no more.
for kind in huge_notes huge_note huge_count_of_files empty_notes; do
	shown $kind 0 vswitch
	grep -q 'Private Demo$' stdout || fail "$kind: $(cat stdout)"
done
for kind in nowhere huge damaged; do
	shown type_data_$kind 0 vswitch
	grep -q "^vswsh: .* type data .*\\(damaged\\|nothing is mapped there\\)\$" stderr ||
		fail "type_data_$kind: $(cat stderr)"
	grep -q 'Private Demo$' stdout || fail "type_data_$kind: $(cat stdout)"
done

# Gaps are told in the place of what is missing.
for kind in beyond_the_end cut_off; do
	shown $kind 1 vswitch
	grep -q "^vswsh: $kind is cut off: [0-9]* of [0-9]* bytes are there\$" stderr ||
		fail "$kind: $(cat stderr)"
	grep -q '\*\*\* [0-9a-f]* cannot be read: not in the core, which is cut off \*\*\*$' stdout ||
		fail "$kind: $(cat stdout)"
done

# Every command, on everything that objects can say of each other and of themselves. What they
# print of a core, and of a dump of it, names addresses, and each of those is a command.
# look CORE COMMAND: in bounded time, as text and as JSON.
look() {
	local result=0
	# shellcheck disable=SC2086 # words
	timeout 20 "$VSWSH" -z "$1" $2 >stdout 2>stderr </dev/null || result=$?
	((result <= 1)) || fail "$2 of $1 gave $result"
	result=0
	# shellcheck disable=SC2086 # words
	timeout 20 "$VSWSH" -z "$1" -j $2 >json 2>complaints </dev/null || result=$?
	((result <= 1)) || fail "-j $2 of $1 gave $result"
	[ "$(wc -l <json)" = 1 ] || fail "-j $2 of $1 gave $result, and not one line: $(tail -n 5 complaints)"
	cat json >>documents
}
commands=(vswitch "vswitch ext" vport "vport vm3" "vport vm5" "vport ext:internal" vnic "vnic vm3" proc "proc 0"
	fdb "fdb ext" drops "drops ext" miniport mopen vnbl "vnbl 0" "vnbl vm3" ring "ring vm3" where "where 0"
	vmq qosline extension lm lmi "dt vport vm3" "dt -r vnic vm3" "dt -r vswitch ext" "dt -r proc 0" "dt -r vsw_root"
	"top -d 0.1 -n 2")
for kind in huge_counts largest_counts in_circles wild_pointers wild_policies wild_rings wild_burst; do
	"$MAKE" $kind >$kind
	rm -f addresses documents
	for command in "${commands[@]}"; do
		look $kind "$command"
		[[ $command == top* ]] || cat stdout >>addresses
		[[ $command != top* ]] || grep -q '^vswsh: top needs a vswd that runs: ' stderr || fail "top of $kind: $(cat stderr)"
	done
	grep -oE '^ *(PROC|RING|VNBL|FDB)  [0-9a-f]{16}' addresses | sort -u | head -n 40 >commands
	while read -r title address; do
		[[ $title != VNBL ]] || look $kind "vnbl -x $address"
		look $kind "$address"
	done <commands
	result=0
	timeout 20 "$VSWSH" -z $kind dump small >/dev/null 2>stderr </dev/null || result=$?
	((result <= 1)) || fail "dump of $kind gave $result"
	if [ -e small ]; then
		mv small "dump_of_$kind"
		for command in "${commands[@]}"; do
			look "dump_of_$kind" "$command"
		done
		rm "dump_of_$kind"
	else
		grep -q 'without which frames cannot be told' stderr || fail "dump of $kind: $(cat stderr)"
	fi
	jq -es 'all(type == "object")' documents >/dev/null || fail "-j of $kind"
	rm $kind
done
shown wild_policies 1 vport ext:internal
grep -q '^    POLICY  0000000000000001  \*\*\* .*cannot be read.* \*\*\*$' stdout || fail "wild_policies: $(cat stdout)"
shown wild_policies 1 vport ext:external
grep -q '^    POLICY  ffffffffffffffff  \*\*\* .*cannot be read.* \*\*\*$' stdout || fail "wild_policies: $(cat stdout)"
shown wild_policies 1 vport vm3
grep -q '^    POLICY  [0-9a-f]*  \*\*\* it has 255 addresses to send from \*\*\*$' stdout || fail "wild_policies: $(cat stdout)"
shown huge_counts 1 vswitch
[ "$(grep -c '^vswsh: the root counts 4294967295 switches; only the first 64 are looked at$' stderr)" = 1 ] ||
	fail "huge_counts: $(cat stderr)"
shown huge_counts 1 vport
grep -q '^vswsh: VSWITCH 0000200000000000 counts 4294967295 ports; only 1024 are looked at$' stderr ||
	fail "huge_counts: $(cat stderr)"
shown huge_counts 1 fdb
grep -q 'the table counts 4294967295 buckets .*, which cannot be \*\*\*$' stdout ||
	fail "huge_counts: $(cat stdout)"
shown huge_counts 1 drops
grep -q 'the port counts 4294967295 blocks of counters, which is more than can be' stdout ||
	fail "huge_counts: $(cat stdout)"
shown huge_counts 1 proc 0
grep -q 'it counts more queues than can be \*\*\*$' stdout || fail "huge_counts: $(cat stdout)"
shown in_circles 1 vport
grep -q '^vswsh: the root lists 63 switches more than once$' stderr || fail "in_circles: $(cat stderr)"
grep -q '^vswsh: VSWITCH 0000200000000000 lists [0-9]* ports more than once$' stderr ||
	fail "in_circles: $(cat stderr)"
shown in_circles 1 vnic
grep -q '\*\*\* [0-9a-f]* is not a vnic but a vport \*\*\*$' stdout || fail "in_circles: $(cat stdout)"
shown wild_pointers 1 vport
for address in 0000000000000001 ffffffffffffffff 8000000000000000; do
	grep -q "^VPORT  $address  \*\*\* $address cannot be read: nothing is mapped there \*\*\*\$" stdout ||
		fail "wild_pointers: $(cat stdout)"
done
