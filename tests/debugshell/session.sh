#!/usr/bin/env bash
# The sessions of vswsh(1): traffic to vm3 has stopped, on a switch that hangs and on a core. Each
# command of the manual is typed as it stands there, and prints what is shown there.
#
#      vm1 ----> vswitch lab ----> vm3      vm2 is attached as well
source "$(dirname "$0")/../functional/lib.sh"

manual=$tests/../debugshell/man/vswsh.1
export PATH=$build/debugshell:$PATH
RUN=/run/vsw # where vswsh looks

# guest NAME MAC OPTION...: a VM that takes its commands from the fifo NAME.
guest() {
	mkfifo "$T/$1"
	"$build/tests/guest/vguest" --socket "$RUN/$1.sock" --mac "$2" --timeout 600 --interactive \
		"${@:3}" <>"$T/$1" >"$T/$1.log" 2>&1 &
	guests+=($!)
	disown
}

# A switch whose traffic from vm1 to vm3 flows.
traffic() {
	local port
	start
	ctl switch add lab private >/dev/null
	for port in vm1 vm2 vm3; do
		ctl port add $port switch lab vhost $port.sock server >/dev/null
		ctl port set $port friendly-name "Adapter of $port" >/dev/null
	done
	guests=()
	guest vm1 02:00:00:00:00:01 --size 98 --rate 50
	guest vm2 02:00:00:00:00:02
	guest vm3 02:00:00:00:00:03
	until_true 10 attached || fail "the VMs are not attached: $(cat "$T"/vm?.log)"
	echo "send 10 02:00:00:00:00:01" >"$T/vm3"
	until_true 5 is_known || fail "the switch does not know vm3"
	echo "send 100000000 02:00:00:00:00:03" >"$T/vm1"
	until_true 10 flows || fail "no frames flow: $(cat "$T"/vm?.log)"
}
attached() { [[ $(vswsh ring 2>/dev/null | grep -c '^RING .* up$' || :) == 6 ]]; }
is_known() { [[ $(station 02:00:00:00:00:03 lab) == vm3 ]]; }
flows() { (($(counter vm3 tx_frames) > 20)); }

# play SUBSECTION
play() {
	perl "$tests/debugshell/session.pl" "$manual" "$1" >"$T/played" 2>&1 || fail "$(cat "$T/played")"
	(($(cut -d ' ' -f 1 "$T/played") >= 6)) || fail "'$1' is short: $(cat "$T/played")"
}

ends() {
	stop KILL
	kill -KILL "${guests[@]}"
	rm -r "$T"/vm? "$STATE"
}

cd "$T"

# The proc hangs where it gives vm3 a frame.
traffic
source "$tests/debugshell/hang.sh"
ring=$(vswsh ring vm3 2>/dev/null | awk '/ to the guest / { print $2 }')
hang_at vring_tx "\$rdi == 0x$ring && \$rdx == 1"
stuck() { vswsh where 2>/dev/null | grep -q '^PROC .* stuck '; }
until_true 10 stuck || fail "the proc does not hang: $(vswsh where)"
play "On a switch that hangs"
ends

# The driver in vm3 breaks its ring.
traffic
echo spoil >"$T/vm3"
is_broken() { (($(drops vm3 out NotReady) > 20)); }
until_true 10 is_broken || fail "the ring is not broken: $(vswsh ring vm3)"
gcore -o "$T/gcore" "$pid" >"$T/gcore.log" 2>&1 || fail "gcore: $(cat "$T/gcore.log")"
mv "$T/gcore.$pid" "$T/switch.core"
ends
play "On a core"
finish
