#!/usr/bin/env bash
# Every command of README.md works as it stands there. ./lab is run by hand and by CI, and
# `meson install` by install.sh; here it is checked that those words exist.
source "$(dirname "$0")/lib.sh"

source_dir=${VSW_SOURCE:-$tests/..}
readme=$source_dir/README.md
export PATH=$build/switch:$build/debugshell:$build/bench:$PATH

# The commands of all shell blocks, lines that go on joined.
blocks() { awk '/^```sh/ { on = 1; next } /^```/ { on = 0 } on' "$readme" | sed -e ':a' -e '/\\$/N; s/\\\n */ /; ta'; }

# The defaults of vswd are /run/vsw, which is empty in this world, and /var/lib/vsw.
mkdir -p "$STATE"
mount -t tmpfs tmpfs /var/lib
cd "$T"

# Not every compiler makes the type data that dumps need.
no_types() { vswsh dump "$T/none" 2>&1 | grep -q 'without which frames cannot be told'; }

ran=0
while IFS= read -r line; do
	ran=$((ran + 1))
	case $line in
	"./lab "*)
		read -r _ verb _ <<<"$line"
		"$source_dir/lab" help | grep -q "^  $verb" || fail "lab has no such verb: $line"
		;;
	bench/compare*)
		# compare.sh runs it.
		[[ -x $source_dir/${line%% *} ]] || fail "there is no such script: $line"
		;;
	meson* | ninja*) ;;
	"vswd &")
		vswd --no-huge >"$T/vswd.log" 2>&1 &
		pid=$!
		up() { vswctl show switches >/dev/null 2>&1; }
		until_true 10 up || fail "vswd does not start"
		;;
	"qemu-system-x86_64 "*)
		# No KVM to be relied on here, and no disk: the firmware's iPXE is guest enough.
		truncate -s 1M disk.qcow2
		line=${line/-accel kvm/-accel tcg}
		line=${line/qcow2,if=virtio/qcow2,if=virtio,format=raw}
		line=${line/mac=52:54:00:00:00:01/mac=52:54:00:00:00:01,vectors=0}
		line=${line//1024/192}
		bash -c "exec $line -display none" >"$T/qemu.log" 2>&1 &
		qemu=$!
		attached() { vswctl -j show ports vm1 | jq -e '.ports[0].is_validation == false' >/dev/null; }
		until_true 40 attached || fail "the VM does not attach: $(cat "$T/qemu.log")"
		kill $qemu
		wait $qemu || :
		;;
	"vswsh dump "* | "vswsh -z "*)
		bash -c "$line" >"$T/out" 2>&1 </dev/null || no_types || fail "'$line' ended with $?: $(cat "$T/out")"
		;;
	*)
		bash -c "$line" >"$T/out" 2>&1 </dev/null || fail "'$line' ended with $?: $(cat "$T/out")"
		;;
	esac
done < <(blocks)
((ran > 20)) || fail "only $ran commands found in README.md"

# The pipe that the text shows.
"$vswctl" port add look switch lab pcap tx - | timeout 20 tcpdump -n -c 1 -r - >"$T/out" 2>&1 &
look=$!
there() { vswctl show ports look >/dev/null 2>&1; }
until_true 10 there || fail "no port for tcpdump"
ip link set vsw-lab up
frame ff:ff:ff:ff:ff:ff 02:00:00:00:00:01 | send host vsw-lab
grep_out() { grep -q 02:00:00:00:00:01 "$T/out"; }
until_true 10 grep_out || fail "tcpdump shows nothing: $(cat "$T/out")"
kill $look 2>/dev/null || :

# The domain is one that libvirt takes.
awk '/^```xml/ { on = 1; next } /^```/ { on = 0 } on' "$readme" >domain.xml
if command -v virt-xml-validate >/dev/null; then
	virt-xml-validate domain.xml domain >"$T/out" 2>&1 || fail "domain XML: $(cat "$T/out")"
fi

# Files that it names exist.
for name in $(grep -oE '\]\([A-Za-z./]+\)' "$readme" | tr -d '()]'); do
	[[ -e $source_dir/$name ]] || fail "README.md names $name"
done

kill "$pid"
wait "$pid" || fail "vswd ended with $?"
pid=
finish
