#!/usr/bin/env bash
# A vswd of another version: fields in another order and of other sizes, one missing, one more.
# It is built here, from changed copies of the headers.
. "$(dirname "$0")/lib.sh"

cc=${CC:-cc}
if ! echo 'int i;' | "$cc" -gbtf -x c -c -o "$dir/probe.o" - 2>/dev/null; then
	echo "this compiler makes no type data"
	exit 77
fi

for folder in ports switch vmq; do
	mkdir -p "$dir/src/$folder"
	cp "$SOURCE/$folder"/*.h "$dir/src/$folder"
done
cp "$SOURCE"/switch/{root.c,types.c} "$dir/src/switch"
mkdir -p "$dir/src/tests/debugshell"
cp "$SOURCE"/tests/debugshell/fake_{vswd.c,objects.[ch]} "$dir/src/tests/debugshell"
edit() {
	local file=$dir/src/$1
	cp "$file" "$dir/before"
	sed -i "$2" "$file"
	cmp -s "$file" "$dir/before" && fail "$1 is as it was after $2"
	return 0
}

# Names are longer, the type is wider and elsewhere.
edit ports/object_types.h 's/OBJECT_NAME_SIZE = 80/OBJECT_NAME_SIZE = 100/'
edit ports/object_types.h '/^\tuint16_t type;/d'
edit ports/object_types.h 's/^\tchar friendly_name\[/\tuint32_t type;\n&/'
# Ports have ids of 64 bits, no monitor mode, and something new; reasons to drop are fewer.
edit ports/vport_types.h 's/^\tuint16_t id;.*/\tuint64_t new_field[3];\n\tuint64_t id;/'
edit ports/vport_types.h '/^\tuint8_t monitor_mode;/d'
edit ports/drops.h '/^\tX(38, /d; s/^\(\tX(37.*)\) *\\$/\1/'
edit switch/fdb_types.h 's/^struct fdb_port {/&\n\tuint64_t new_field;/'
# Of dropped frames fewer are kept, with something new of each.
edit ports/droplog_types.h 's/DROPLOG_RECORDS = 64/DROPLOG_RECORDS = 32/'
edit ports/droplog_types.h 's/^struct droplog_record {/&\n\tuint64_t new_field;/'

cflags=(-std=gnu11 -D_GNU_SOURCE '-DVSW_VERSION="0.0.1"' -I"$dir/src" -O1)
read -ra dpdk < <(pkg-config --cflags libdpdk)
"$cc" "${cflags[@]}" "${dpdk[@]}" -gbtf -c -o "$dir/types.o" "$dir/src/switch/types.c"
"$SOURCE/switch/btf_embed.sh" "$dir/btf.c" objcopy "$dir/types.o"
read -ra libs < <(pkg-config --libs libdpdk)
"$cc" "${cflags[@]}" "${dpdk[@]}" -o "$dir/other" \
	"$dir"/src/tests/debugshell/fake_{vswd,objects}.c "$dir/src/switch/root.c" "$dir/btf.c" \
	"${libs[@]}"
strip "$dir/other"

fake "$dir/other" healthy
"$VSWSH" -p "$fake" vswitch >"$dir/stdout" 2>"$dir/stderr"
[ "$(wc -l <"$dir/stderr")" = 1 ] || fail "the other build is told more than once"
grep -q '^vswsh: this vswd is another build (version 0.0.1, vswsh is .*); its structures are read by field name$' \
	"$dir/stderr" || fail "$(cat "$dir/stderr")"
switches -p "$fake" 2>"$dir/stderr" | same vswitch.out
grep -q "^vswsh: this vswd's struct vport has no field 'monitor_mode'\$" "$dir/stderr" ||
	fail "the missing field is not told"
"$VSWSH" -p "$fake" vport vm3 2>/dev/null | grep 'MonitorMode  *\[Missing in this vswd\]' >/dev/null ||
	fail "the missing field is shown"
json -p "$fake" vport vm3
is .objects[0].policy.monitor_mode null
declare -A from=([vnbl]=inspect ["vnbl ext:external"]=inspect)
for command in "drops ext" "fdb ext" "proc 0" "vnic vm3" vnbl "vnbl ext:external"; do
	# shellcheck disable=SC2086
	"$VSWSH" -p "$fake" $command 2>/dev/null | normalize >"$dir/other.out"
	sed "1,/^> $command\$/d; /^> /,\$d" "$expected/${from[$command]:-healthy}.out" | perl -pe 's/<a\d+>/<a>/g' \
		>"$dir/want"
	perl -pi -e 's/<a\d+>/<a>/g' "$dir/other.out"
	diff -u "$dir/want" "$dir/other.out" || fail "$command of the other build"
done

# Its cores are read by name as well.
"$VSWSH" -p "$fake" vport vm3 >"$dir/live" 2>/dev/null
halt "$fake"
cores_of "$fake"
for core in "${cores[@]}"; do
	"$VSWSH" -z "$core" vport vm3 2>/dev/null | cmp - "$dir/live" || fail "$core is another port"
done

# Types are shown as it has them, and what is missing is told. A dump of it is read by name too.
"$VSWSH" -z "$core" lmi >"$dir/lmi" 2>/dev/null || fail "lmi: $(cat "$dir/lmi")"
for row in "    Symbol Type: BTF - Symbols loaded, but [1-9][0-9]* fields that vswsh knows are missing\." \
	"    Load Report: type data, [0-9]* structs, [1-9][0-9]* of them read by field name: version 0.0.1, vswsh is .*" \
	"                 vport.monitor_mode"; do
	grep -q "^$row\$" "$dir/lmi" || fail "no '$row' in: $(cat "$dir/lmi")"
done
json -z "$core" lmi
is '.fields_missing >= (.missing_fields | length)' true
is '.missing_fields | any(.name == "vport.monitor_mode")' true
"$VSWSH" -z "$core" dt vport vm3 >"$dir/dt" 2>/dev/null || fail "dt: $(cat "$dir/dt")"
for row in "new_field        : \[3\] all 0x0" "id               : 0x3"; do
	grep -q "^   +0x[0-9a-f]* $row\$" "$dir/dt" || fail "no '$row' in: $(cat "$dir/dt")"
done
grep -q monitor_mode "$dir/dt" && fail "a field is shown that is not there"
"$VSWSH" -z "$core" dt object 2>/dev/null | grep '^   +0x[0-9a-f]* name  *: \[100\] char$' >/dev/null ||
	fail "the name has our length"
"$VSWSH" -z "$core" dump "$dir/dump" >/dev/null 2>&1 || fail "dump"
"$VSWSH" -z "$dir/dump" vport vm3 2>/dev/null | cmp - "$dir/live" || fail "another port in the dump"
"$VSWSH" -z "$dir/dump" dt vport vm3 2>/dev/null | cmp - "$dir/dt" || fail "other types in the dump"
"$VSWSH" -z "$dir/dump" lmi 2>/dev/null | cmp - "$dir/lmi" || fail "another module in the dump"

# One whose type data are constants, which its cores leave out: its program has them.
sed -i 's/^unsigned char vsw_btf/const &/' "$dir/btf.c"
edit switch/btf_types.h 's/^extern unsigned char vsw_btf/extern const unsigned char vsw_btf/'
"$cc" "${cflags[@]}" "${dpdk[@]}" -o "$dir/constant" \
	"$dir"/src/tests/debugshell/fake_{vswd,objects}.c "$dir/src/switch/root.c" "$dir/btf.c" \
	"${libs[@]}"
fake "$dir/constant" healthy
"$VSWSH" -p "$fake" vport vm3 >"$dir/live" 2>/dev/null
halt "$fake"
cores_of "$fake"
for core in "${cores[@]}"; do
	"$VSWSH" -z "$core" vport vm3 >"$dir/stdout" 2>"$dir/stderr" && fail "$core is read by rote"
	grep -q '^vswsh: core of process .*: its type data at [0-9a-f]* cannot be read: not in the core$' \
		"$dir/stderr" || fail "$(cat "$dir/stderr")"
	"$VSWSH" -z "$core" -y "$dir/constant" vport vm3 2>/dev/null | cmp - "$dir/live" ||
		fail "$core is another port with its program"
	"$VSWSH" -z "$core" -y "$dir/other" vport vm3 2>"$dir/stderr" && fail "another program is taken"
	grep -q "^vswsh: $dir/other is of build [0-9a-f]*, but the core's program is of [0-9a-f]*\$" \
		"$dir/stderr" || fail "$(cat "$dir/stderr")"
done
