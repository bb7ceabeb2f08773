#!/usr/bin/env bash
# Two real Linux VMs through one switch: traffic, reboot, death, and death of the switch.
#
#   VM a (.1) ---.
#                 [ internal s ]--- host: vsw-s (.10)        [ private p ]
#   VM b (.2) ---'
source "$(dirname "$0")/lib.sh"

start
ctl switch add s internal >/dev/null
ctl switch add p private >/dev/null
ctl port add a switch s vhost a.sock >/dev/null
ctl port add b switch s vhost b.sock client >/dev/null
host s 10.1.0.10/24
equal "$(counter a is_validation)" true "IsValidation of a port without its VM"
vm a 1
vm b 2
up a
up b
equal "$(counter a is_validation)" false "IsValidation of a port with its VM"
equal "$(counter a state)" Connected "the port's state"

# Each reaches each, and files arrive whole, both ways.
guest_reachable a 10.1.0.2
guest_reachable b 10.1.0.10
reachable host 10.1.0.1
make_file "$T/www/file" 20
sum=$(sum_of "$T/www/file")
serve host "$T/www"
guest_fetch a http://10.1.0.10/file "$sum"
guest a 'wget -q -O /www/file http://10.1.0.10/file' >/dev/null || fail "a cannot store the file"
guest_fetch b http://10.1.0.1/file "$sum"
fetch host http://10.1.0.1/file "$T/www/file"
guest b 'wget -q -O /www/file http://10.1.0.1/file' >/dev/null || fail "b cannot store the file"
guest_fetch a http://10.1.0.2/file "$sum"

# A reboot: the same QEMU, a new driver.
guest a 'touch /tmp/before; reboot' 3 >/dev/null || :
rebooted() { guest a '[ ! -e /tmp/before ]' 3 >/dev/null; }
until_true 120 rebooted || fail "a does not come back from its reboot"
guest_reachable a 10.1.0.2
guest_fetch a http://10.1.0.2/file "$sum"

# Killed, and started again on the same port.
vm_stop a KILL
settles true "IsValidation of a port whose VM was killed" counter a is_validation
reachable host 10.1.0.2
vm a 1
up a
guest_reachable a 10.1.0.2

# The switch is killed while a transfer runs; the transfer completes.
guest b 'ip link set eth0 up' >/dev/null || fail "b does not answer"
guest a "(for i in 1 2 3 4 5 6; do wget -q -O - http://10.1.0.2/file; done | sha256sum; echo whole) \
	>/tmp/result 2>&1 &" >/dev/null || fail "a does not start to fetch"
busy() { (($(counter a tx_bytes) > 5000000)); }
until_true 20 busy || fail "the transfer does not begin"
stop KILL
start
settles Connected "the port after the switch's restart" counter a state
whole() { guest a 'grep -q whole /tmp/result' 10 >/dev/null; }
until_true 90 whole || fail "the transfer does not end: $(guest a 'cat /tmp/result' 5)"
equal "$(guest a 'head -n 1 /tmp/result' | cut -d' ' -f1)" \
	"$(for _ in 1 2 3 4 5 6; do cat "$T/www/file"; done | sha256sum | cut -d' ' -f1)" \
	"the sum of the transfer through the death of the switch"
guest_reachable b 10.1.0.10

# A VM is unplugged from one switch and plugged into another while it runs. On the private
# one it reaches its fellow, not the host.
for m in a b; do
	ctl port remove $m >/dev/null
	ctl port add $m switch p vhost $m.sock >/dev/null
done
settles Connected "the port on the private switch" counter a state
guest_reachable a 10.1.0.2
guest_unreachable a 10.1.0.10
unreachable host 10.1.0.1

# They go by themselves, too.
guest a 'poweroff' 3 >/dev/null || :
ended() { ! vm_running a; }
until_true 20 ended || fail "a does not power off"
settles true "IsValidation of a port whose VM is off" counter a is_validation
vm_stop b
finish
