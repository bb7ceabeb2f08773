#!/usr/bin/env bash
# A vswd of another version: fields in another order and of other sizes, one missing, one more.
# It is built here, from changed copies of the headers.
. "$(dirname "$0")/lib.sh"

cc=${CC:-cc}
if ! echo 'int i;' | "$cc" -gbtf -x c -c -o "$dir/probe.o" - 2>/dev/null; then
	echo "this compiler makes no type data"
	exit 77
fi

for folder in ports switch; do
	mkdir -p "$dir/src/$folder"
	cp "$SOURCE/$folder"/*.h "$dir/src/$folder"
done
cp "$SOURCE"/switch/{root.c,types.c} "$dir/src/switch"
cp "$SOURCE/tests/debugshell/fake_vswd.c" "$dir/src"
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

cflags=(-std=gnu11 -D_GNU_SOURCE '-DVSW_VERSION="0.0.1"' -I"$dir/src" -O1)
read -ra dpdk < <(pkg-config --cflags libdpdk)
"$cc" "${cflags[@]}" "${dpdk[@]}" -gbtf -c -o "$dir/types.o" "$dir/src/switch/types.c"
"$SOURCE/switch/btf_embed.sh" "$dir/btf.c" objcopy "$dir/types.o"
read -ra libs < <(pkg-config --libs libdpdk)
"$cc" "${cflags[@]}" "${dpdk[@]}" -o "$dir/other" "$dir/src/fake_vswd.c" \
	"$dir/src/switch/root.c" "$dir/btf.c" "${libs[@]}"
strip "$dir/other"

fake "$dir/other" healthy
"$VSWSH" -p "$fake" vswitch >"$dir/stdout" 2>"$dir/stderr"
[ "$(wc -l <"$dir/stderr")" = 1 ] || fail "the other build is told more than once"
grep -q '^vswsh: this vswd is another build (version 0.0.1, vswsh is .*); its structures are read by field name$' \
	"$dir/stderr" || fail "$(cat "$dir/stderr")"
switches "$fake" 2>"$dir/stderr" | same vswitch.out
grep -q "^vswsh: this vswd's struct vport has no field 'monitor_mode'\$" "$dir/stderr" ||
	fail "the missing field is not told"
"$VSWSH" -p "$fake" vport vm3 2>/dev/null | grep -q 'MonitorMode  *\[Missing in this vswd\]' ||
	fail "the missing field is shown"
for command in "drops ext" "fdb ext" "proc 0" "vnic vm3"; do
	# shellcheck disable=SC2086
	"$VSWSH" -p "$fake" $command 2>/dev/null | normalize >"$dir/other.out"
	sed "1,/^> $command\$/d; /^> /,\$d" "$expected/healthy.out" | perl -pe 's/<a\d+>/<a>/g' \
		>"$dir/want"
	perl -pi -e 's/<a\d+>/<a>/g' "$dir/other.out"
	diff -u "$dir/want" "$dir/other.out" || fail "$command of the other build"
done
