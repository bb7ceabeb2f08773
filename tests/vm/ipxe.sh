#!/usr/bin/env bash
# iPXE, with which every QEMU starts, speaks virtio as it was before version 1: no mergeable
# buffers, a header of 10 bytes. It gets its address from a dnsmasq behind a TAP port, and a
# file by HTTP.
#
#   QEMU, iPXE ---[ private s ]--- d: dnsmasq (10.1.0.1)
source "$(dirname "$0")/lib.sh"

command -v dnsmasq >/dev/null || exit 77
[[ -e /usr/lib/ipxe/qemu/pxe-virtio.rom ]] || exit 77

start
ctl switch add s private >/dev/null
machine d s 10.1.0.1/24
ctl port add v switch s vhost v.sock >/dev/null
mkdir -p "$T/www"
cat >"$T/www/boot" <<'END'
#!ipxe
imgfetch http://10.1.0.1/big
imgfetch http://10.1.0.1/done
END
head -c 2M /dev/urandom >"$T/www/big"
echo "done" >"$T/www/done"
in_ns d busybox httpd -f -vv -p 80 -h "$T/www" >"$T/httpd.out" 2>&1 &
in_ns d dnsmasq --no-daemon --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces \
	--dhcp-range=10.1.0.50,10.1.0.60,5m --dhcp-leasefile="$T/leases" --log-dhcp \
	--dhcp-boot=http://10.1.0.1/boot --dhcp-no-override >"$T/dnsmasq.log" 2>&1 &

# shellcheck disable=SC2046 # no argument holds a space
qemu-system-x86_64 $(vm_machine) -chardev "socket,id=c0,path=$RUN/v.sock,server=on,wait=on" \
	-netdev vhost-user,id=n0,chardev=c0 \
	-device virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01,vectors=0,bootindex=1 \
	-serial "file:$T/serial.log" </dev/null >"$T/qemu.log" 2>&1 &
qemu=$!

leased() { grep -q 52:54:00:00:00:01 "$T/leases" 2>/dev/null; }
until_true 60 leased || fail "iPXE has no address"
fetched() { grep -q 'url:/done' "$T/httpd.out"; }
until_true 60 fetched || fail "iPXE did not fetch its files: $(cat "$T/httpd.out")"
equal "$(counter v is_validation)" false "IsValidation"
equal "$(counter v drops_in)" "{}" "drops from iPXE"
kill $qemu
wait $qemu 2>/dev/null || :
finish
