#!/usr/bin/env bash
# A vswd that is older: fields that came later are said to be missing, and nothing is made of them.
# It is built here, from changed copies of the headers.
. "$(dirname "$0")/lib.sh"

cc=${CC:-cc}
if ! echo 'int i;' | "$cc" -gbtf -x c -c -o "$dir/probe.o" - 2>/dev/null; then
	echo "this compiler makes no type data"
	exit 77
fi

mkdir -p "$dir/src/tests/debugshell"
for folder in ports switch vmq; do
	mkdir -p "$dir/src/$folder"
	cp "$SOURCE/$folder"/*.h "$dir/src/$folder"
done
cp "$SOURCE"/switch/{root.c,types.c} "$dir/src/switch"
cp "$SOURCE"/tests/debugshell/fake_{vswd.c,objects.[ch]} "$dir/src/tests/debugshell"

# lacks FILE FIELD: takes it out of the header, and out of what the fake vswd sets.
lacks() {
	local file=$dir/src/$1
	cp "$file" "$dir/before"
	perl -0777 -pi -e "s{\\n\\t(?:const )?\\w+\\s+$2(?:\\[\\w+\\])?;[^\\n]*(?:\\n\\t+ +//[^\\n]*)*}{}" "$file"
	! cmp -s "$file" "$dir/before" || fail "$1 has no field $2"
	perl -pi -e "s!^.*->(?:\\w+\\.)?$2\\b.*\\n|, \\.$2 = \\d+|\\s\\.$2 = [^,}]*,?!!g" \
		"$dir/src/tests/debugshell/fake_objects.c"
}
lacks switch/policy_types.h storm_fps
lacks switch/policy_types.h mirrored_to
lacks switch/policy_types.h checks_mac
lacks switch/vlan_types.h takes_tags
lacks switch/guard_types.h router
lacks switch/guard_types.h n_addresses
lacks switch/guard_types.h limit
lacks ports/vport_types.h serial
lacks ports/droplog_types.h at_serial
lacks ports/droplog_types.h src_serial
perl -pi -e 's{^.*flooded_to.*\n}{}' "$dir/src/ports/vnbl_types.h" "$dir/src/tests/debugshell/fake_objects.c"

cflags=(-std=gnu11 -D_GNU_SOURCE '-DVSW_VERSION="0.0.1"' -I"$dir/src" -O1)
read -ra dpdk < <(pkg-config --cflags libdpdk)
"$cc" "${cflags[@]}" "${dpdk[@]}" -gbtf -c -o "$dir/types.o" "$dir/src/switch/types.c"
"$SOURCE/switch/btf_embed.sh" "$dir/btf.c" objcopy "$dir/types.o"
read -ra libs < <(pkg-config --libs libdpdk)
"$cc" "${cflags[@]}" "${dpdk[@]}" -o "$dir/older" \
	"$dir"/src/tests/debugshell/fake_{vswd,objects}.c "$dir/src/switch/root.c" "$dir/btf.c" \
	"${libs[@]}"
fake "$dir/older" healthy

# has ROW...: the last output has these rows.
has() {
	local row
	for row in "$@"; do
		grep -qE "^    $row$" "$dir/out" || fail "no '$row' in: $(cat "$dir/out")"
	done
}

missing='\[Missing in this vswd\]'
"$VSWSH" -p "$fake" vport vm3 >"$dir/out" 2>/dev/null || fail "vport: $(cat "$dir/out")"
has 'VLAN +2 \(trunk\)' "Without a tag +$missing" 'Carries +5-11 200' "Takes tags +$missing" \
	"Keeps priority +N" "Sends from +$missing" 'DHCP guard +Y' "Router guard +$missing" \
	'ARP guard +Y' "Announces +$missing" "Storm limit +$missing" "Mirrored to +$missing" \
	"Limit +$missing" 'Table +[0-9a-f]{16} .*' '10\.0\.0\.99 +0'
json -p "$fake" vport vm3
is '.objects[0].policy | [.storm_limit, .mirrored_to, .takes_tags, .router_guard] | all(. == null)' true

# How far a flood has come is not known, nor which of two switches a port was of.
"$VSWSH" -p "$fake" vnbl >"$dir/out" 2>/dev/null || fail "vnbl: $(cat "$dir/out")"
flood=$(awk '/^VNBL .* flood / { print $2 }' "$dir/out")
"$VSWSH" -p "$fake" vnbl "$flood" >"$dir/out" 2>/dev/null || fail "vnbl $flood: $(cat "$dir/out")"
has 'NumDestinations +2' \
	'0x0002 +0 +\[Not kept\] +N +N +[0-9a-f]+ +\[Not known\] +ext:external' \
	'0x0003 +0 +\[Not kept\] +\[Not known\] +N +[0-9a-f]+ +\[Not known\] +vm3'
