#!/usr/bin/env bash
# The commands for modules and types: of a vswd made by hand that runs, that is stopped, and of its
# cores, with the same bytes everywhere.
. "$(dirname "$0")/lib.sh"

# types TARGET...: layouts that seldom change, and values.
types() {
	local - command
	set -f # patterns are for dt
	for command in "dt object" "dt struct vnbl_offload" "dt vswd!mopen" "dt -r mopen" \
		"dt vport_type" "dt vsw_btf_probe" "dt -r 1 vnbl_piece" "dt mini*" \
		"dt vport.obj.name vm3" "dt vport.obj.refs vm3" "dt -r miniport $miniport" \
		"dt frob" "dt vport frob" "dt miniport $stats"; do
		echo "> ${command//0000[5-7]???????????/ADDRESS}"
		# shellcheck disable=SC2086
		"$VSWSH" "$@" $command || echo "result $?"
	done 2>&1
}

# all_of TARGET...: what is not the same on every machine.
all_of() {
	local - command
	set -f # patterns are for dt
	for command in lm lmi "lmi libc" "lm lib*" "dt *" "dt vport vm3" "dt -r vswitch ext" \
		"dt -r vhost vm3" "dt -r2 proc 0" "dt tap ext:internal" "dt vsw_root.vswitches $root" \
		"dt -r vsw_root $root"; do
		echo "> $command"
		# shellcheck disable=SC2086
		"$VSWSH" "$@" $command || echo "result $?"
	done 2>&1
}

fake "$FAKE" healthy
if [[ $("$VSWSH" -p "$fake" dt object 2>&1) == *"neither this vswd nor this vswsh carries type data"* ]]; then
	"$VSWSH" -p "$fake" lmi 2>/dev/null |
		grep -q 'Symbol Type: NONE - The target carries no type data: its compiler makes none\.$' ||
		fail "lmi does not tell why"
	echo "this compiler makes no type data"
	exit 77
fi
miniport=$("$VSWSH" -p "$fake" miniport | sed -n 's/^\([0-9a-f]*\) .*External Demo$/\1/p')
stats=$("$VSWSH" -p "$fake" dt vport.stats ext:internal | sed -n 's/.*!dt vport_stats //p')
root=$("$VSWSH" -p "$fake" lmi | sed -n 's/.*!dt vsw_root //p')
for address in "$miniport" "$stats" "$root"; do
	[[ $address =~ ^[0-9a-f]{16}$ ]] || fail "no address: '$address'"
done
types -p "$fake" | same types.out

# Values of structs that change more often.
while IFS='|' read -r words value; do
	# shellcheck disable=SC2086
	"$VSWSH" -p "$fake" dt $words >"$dir/stdout" || fail "dt $words"
	grep -qE "^   \\+0x[0-9a-f]{3,} .* : $value\$" "$dir/stdout" ||
		fail "dt $words is not $value but $(cat "$dir/stdout")"
done <<-EOF
	vport.type ext:internal|0n4 \\( VPORT_INTERNAL \\)
	vport.mac ext:internal|0x0
	vnic.state vm3|0n3 \\( VNIC_STATE_DISCONNECTED \\)
	vnic.since_s vm3|0n1401968757
	proc.stage 0|0n7 \\( PROC_STAGE_EGRESS \\)
	proc.copy_name proc0|\\[16\\] "avx2"
	vhost.rings[1].q.broken vm3|0n2 \\( VIRTQ_BREAK_HEAD \\)
	vport_stats.drops[1] $stats|0x5
	vswitch.obj.friendly_name ext|\\[256\\] "External Demo"
EOF

# The form of lmi, and what it is filled with.
"$VSWSH" -p "$fake" lmi vswd >"$dir/lmi" 2>&1 || fail "lmi: $(cat "$dir/lmi")"
id=$(readelf -nW "$FAKE" | sed -n 's/.*Build ID: //p')
while read -r row; do
	grep -qE "^$row\$" <(sed 's/^ *//' "$dir/lmi") || fail "no '$row' in: $(cat "$dir/lmi")"
done <<-EOF
	Loaded Module Info: \\[fake_vswd\\] *
	Module: fake_vswd
	Base Address: 0000[5-7][0-9a-f]{8}000
	Image Name: fake_vswd
	Machine Type: 62 \\(X64\\)
	Time Stamp: [0-9a-f]{8} [A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} 20[0-9]{2} \\(when it was started\\)
	Size: [0-9a-f]+000
	CheckSum: \\[None: the build id is one\\]
	Characteristics: 3 \\(DYN\\)
	Debug Data Dirs: Type  Size     VA  Pointer
	BUILDID    14, +[0-9a-f]+, +[0-9a-f]+ GNU - BUILD ID: \\{$id\\}
	BTF +[0-9a-f]{4}, +[0-9a-f]+, +[0-9a-f]+ Type data
	Image Type: MEMORY   - Image read successfully from loaded memory\\.
	Symbol Type: BTF - Symbols loaded successfully from image header\\.
	$FAKE
	Load Report: type data, [0-9]+ structs, laid out as in this vswsh
EOF
cut -d: -f1 "$dir/lmi" | head -n 9 | tail -n 8 | awk '{ if (length($0) != 15) exit 1 }' ||
	fail "the labels do not stand as they should: $(cat "$dir/lmi")"

# Where lmi says that the build id and the type data are in the file, there they are.
numbers() { sed -n "s/^ *$1 *\\([0-9a-f]*\\), *[0-9a-f]*, *\\([0-9a-f]*\\) .*/\\1 \\2/p" "$dir/lmi"; }
read -r size offset < <(numbers BUILDID)
[ "$(xxd -p -c 64 -s "0x$offset" -l "0x$size" "$FAKE")" = "$id" ] || fail "the build id is elsewhere"
read -r size offset < <(numbers BTF)
[ "$(xxd -p -s "0x$offset" -l 2 "$FAKE")" = 9feb ] || fail "the type data is elsewhere"

# Each module of lm is one of the process, and no file of memory is.
"$VSWSH" -p "$fake" lm >"$dir/lm"
[ "$(head -n 1 "$dir/lm")" = "start             end                 module name" ] || fail "lm's header"
[ "$(wc -l <"$dir/lm")" -ge 4 ] || fail "too few modules: $(cat "$dir/lm")"
tail -n +2 "$dir/lm" | while read -r start end name state _; do
	[ "$((16#$start))" -lt "$((16#$end))" ] || fail "$name has no size"
	grep -q "^${start#0000}-.* 00000000 .*$name" "/proc/$fake/maps" || fail "$name is not at $start"
	case $name in
	fake_vswd) [ "$state" = "(type" ] || fail "$name has no type data" ;;
	*) [ "$state" = "(no" ] || fail "$name has type data" ;;
	esac
	"$VSWSH" -p "$fake" lmi "$name" >"$dir/one" || fail "lmi $name"
	grep -q "^   Base Address: $start\$" "$dir/one" || fail "lmi $name is of another module"
done
grep -q '^[0-9a-f]*  [0-9a-f]*    libc  *(no type data)  *!lmi libc$' "$dir/lm" || fail "no libc"
[ "$("$VSWSH" -p "$fake" lm "$miniport" 2>&1)" = \
	"vswsh: there is no module '$miniport'; lm lists them" ] || fail "the heap is a module"
[ "$("$VSWSH" -p "$fake" lm "$root" | tail -n 1)" = "$(grep fake_vswd "$dir/lm")" ] ||
	fail "the root is in no module"

# Each command that is printed can be typed.
all_of -p "$fake" 2>/dev/null | grep -oE '!(dt|lmi|lm) [A-Za-z0-9_.*-]+( [0-9a-f]{16})?' | sort -u |
	sed 's/^!//' >"$dir/commands"
[ "$(wc -l <"$dir/commands")" -ge 50 ] || fail "too few commands: $(wc -l <"$dir/commands")"
"$VSWSH" -p "$fake" <"$dir/commands" >"$dir/stdout" 2>"$dir/stderr" || :
grep -vE ' is no object: its magic is ' "$dir/stderr" && fail "a command that was printed is wrong"

# In JSON there are values for programs.
json -p "$fake" lm
is '[.rows[] | select(.name == "fake_vswd" or .name == "libc") | .type_data] | join(" ")' \
	'(type data loaded) (no type data)'
is '.rows | length' $(($(wc -l <"$dir/lm") - 1))
json -p "$fake" lmi
is .buildid.build_id "$id"
is .machine_type.number 62
is .path "$FAKE"
is .root "$root"
json -p "$fake" dt "mini*"
is '.rows[] | .name + " " + .kind + " " + .size' "miniport struct 0x170"
json -p "$fake" dt vport_type
is '.constants[1] | .name + .type + (.value | tostring)' VPORT_EXTERNAL1
json -p "$fake" dt -r miniport "$miniport"
is .address "$miniport"
is '[.fields[].name] | join(" ")' "obj vswitch state pad"
is '.fields[0].fields[] | select(.name == "name") | .value' ext
is '.fields[0].fields[] | select(.name == "friendly_name") | .value' null
is '.fields[0].fields[] | select(.name == "refs") | .value + 1' 2
is '.fields[2] | [.offset, .value, .constant] | join(" ")' "0x168 3 VMS_EXT_MP_RUNNING"
is '.fields[1].value' "$(address -p "$fake" "External Demo")"
read -ra next < <(jq -r '.fields[1].command' "$dir/json")
"$VSWSH" -p "$fake" "${next[@]}" >"$dir/stdout" || fail "${next[*]}"
json -p "$fake" dt vhost.rings vm3
is '[.array[] | .first] | length' "$(grep -c ' : struct vhost_ring ' "$dir/text")"
json -p "$fake" dt vhost.rings[1] vm3
is '.fields[] | select(.name == "breaks") | .value' 1
json -p "$fake" dt frob
is .error "this vswd's type data has no type 'frob'; dt lists them"
json -p "$fake" dt 'v*' "$stats"
is .error "a pattern is for the names of types; an address is read by one type: dt TYPE[.FIELD] ADDRESS"
json -p "$fake" dt miniport "$stats"
is '.troubles[0].address' "$stats"
for words in "dt *" "dt -r vhost vm3" "dt -r16 proc 0" "dt -r vport vm3" "lmi libc" "lm $miniport" \
	"lmi nothing" "dt vport 0000000000000020"; do
	set -f # patterns are for dt
	# shellcheck disable=SC2086
	json -p "$fake" $words
	set +f
done

# Stopped, and cores of it.
halt "$fake"
types -p "$fake" | same types.out
all_of -p "$fake" >"$dir/stopped"
cores_of "$fake"
for core in "${cores[@]}"; do
	types -z "$core" | same types.out
	all_of -z "$core" | diff "$dir/stopped" - || fail "$core shows something else"
done

# Something else is at the address, or nothing.
fake "$FAKE" damaged
"$VSWSH" -p "$fake" dt vport ext:internal >"$dir/stdout" 2>&1 && fail "a destroyed port has a name"
ext=$(address -p "$fake" "External Demo") || : # it tells of damage as well
"$VSWSH" -p "$fake" dt vport "$ext" >"$dir/stdout" 2>&1 && fail "a vswitch is shown as a port"
grep -q "\\*\\*\\* $ext is not a vport but a vswitch \\*\\*\\*" "$dir/stdout" || fail "$(cat "$dir/stdout")"
grep -q '^   +0x010 name  *: \[80\] "ext"$' <("$VSWSH" -p "$fake" dt object "$ext") || fail "its name"
[ "$("$VSWSH" -p "$fake" dt vport 0000000000000020 2>&1)" = \
	"vswsh: 0000000000000020 cannot be read: nothing is mapped there" ] || fail "nothing is there"
