#!/usr/bin/env bash
# The three switches of the project's model text, made by commands, are printed as the text has
# them: by a vswd that runs, and by one that is stopped.
source "$(dirname "$0")/../functional/lib.sh"
VSWSH=$vswsh
dir=$T
source "$(dirname "$0")/text.sh"

start
ip link add v0 type veth peer name v1
ip link set v0 up
ip link set v1 up

ctl switch add ext external nic v0 id AC2DA35C-661A-40AE-82F2-1F62F70DBB2A >/dev/null
ctl switch set ext friendly-name "External Demo" >/dev/null
ctl port set ext:external friendly-name \
	"Realtek PCI GBE Family Controller - Virtual Switch_External" >/dev/null
ctl port add vm3 switch ext vhost vm3.sock id 3 >/dev/null
ctl port add vm5 switch ext tap t-vm5 id 5 >/dev/null
ctl port add vm4 switch ext vhost vm4.sock id 4 >/dev/null
ctl switch add int internal id E0BB29CA-1F43-4CAC-8025-BDFDA3FD3825 >/dev/null
ctl switch set int friendly-name "Internal Demo" >/dev/null
ctl switch add priv private id D48F7DC3-D15D-4A3E-BF98-7E46FB8A1E4D >/dev/null
ctl switch set priv friendly-name "Private Demo" >/dev/null

switches -p "$pid" | same vswitch.out
"$vswsh" -r "$RUN" vswitch ext | grep -q '    Name: AC2DA35C-661A-40AE-82F2-1F62F70DBB2A$' ||
	fail "the name is not the id that was given"

# Every command has something to say, and nothing to complain of.
look() {
	local words out
	for words in vport vnic proc fdb drops miniport mopen help "vport vm5" "vnic vm3" "vnic vm5" \
		"vnic ext:external" "proc 0" "fdb ext" "drops ext" where "where 0" ring "ring vm3" vnbl \
		vmq qosline extension; do
		# shellcheck disable=SC2086 # words
		out=$("$vswsh" -r "$RUN" $words 2>&1) || fail "$words: $out"
		! grep -qE '^vswsh: |\*\*\*|~' <<<"$out" || fail "$words: $out"
	done
}
look

# What a frame leaves behind: a station, and the counters of its way.
ip link set t-vm5 up
frame 02:00:00:00:00:99 02:00:00:00:00:55 | send host t-vm5
learned() { "$vswsh" -r "$RUN" fdb ext | grep -q '02-00-00-00-00-55  0 .*Learned .*vm5$'; }
until_true 5 learned || fail "the station is not shown: $("$vswsh" -r "$RUN" fdb ext)"
"$vswsh" -r "$RUN" fdb vm5 | grep -q 02-00-00-00-00-55 || fail "not among the port's stations"
frame 01:80:c2:00:00:0e 02:00:00:00:00:55 | send host t-vm5
dropped() { "$vswsh" -r "$RUN" drops vm5 | grep -q 'In  *[1-9][0-9]*  *BridgeReserved '; }
until_true 5 dropped || fail "the drop is not shown: $("$vswsh" -r "$RUN" drops vm5)"

# The kinds of NIC that the three switches have none of: a capture, and a VM that is attached.
ctl port add capture switch priv pcap tx "$T/capture.pcap" >/dev/null
"$vswsh" -r "$RUN" vnic capture | grep -q "File  *$T/capture.pcap$" || fail "the capture's file"
ctl port add vm switch priv vhost vm.sock server >/dev/null
"$build/tests/guest/vguest" --socket "$RUN/vm.sock" --mac 02:00:00:00:00:77 --interactive \
	< <(sleep 1000) >"$T/vguest.log" 2>&1 &
guest=$!
disown "$guest"
attached() { "$vswsh" -r "$RUN" vswitch priv | grep -q '0x0002  Synthetic N  *None  *Dynamic'; }
until_true 5 attached || fail "the VM is not attached: $("$vswsh" -r "$RUN" vswitch priv)"
out=$("$vswsh" -r "$RUN" vnic vm)
for row in 'Phase  *2 (running)' 'Negotiated  *[0-9a-f]*[1-9a-f][0-9a-f]*$' 'Use  *1 (up)' \
	'Size  *[1-9]' 'Available  *guest at [0-9]*, seen [0-9]*, taken [0-9]*$' \
	'Guest memory  *0000[57]'; do
	grep -q "^    $row" <<<"$out" || fail "no '$row' in: $out"
done
look
kill -KILL "$guest"
detached() { "$vswsh" -r "$RUN" vswitch priv | grep -q '0x0002  Synthetic Y  *None  *Dynamic'; }
until_true 5 detached || fail "the VM is still attached: $("$vswsh" -r "$RUN" vswitch priv)"
ctl port remove vm >/dev/null
ctl port remove capture >/dev/null

# Nothing is asked of a process that does not run.
kill -STOP "$pid"
switches -p "$pid" | same vswitch.out
look
kill -CONT "$pid"
finish
