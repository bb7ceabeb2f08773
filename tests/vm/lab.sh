#!/usr/bin/env bash
# What a newcomer types: lab up, lab vm, lab down. They run on a host of their own, and leave
# nothing on it.
source "$(dirname "$0")/lib.sh"

lab=${VSW_SOURCE:-$tests/..}/lab
huge=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
# RUN_DIR is the default one, in this world's empty /run; STATE_DIR would be the machine's own.
export VSW_BUILD=$build VSW_STATE_DIR=$T/lab-state CI=1
RUN=/run/vsw
VM_DIR=/run/vsw-lab/vms

run_lab() { "$lab" "$@" </dev/null >"$T/lab.log" 2>&1 || fail "lab $* ended with $?"; }

before=$(cat $huge 2>/dev/null || echo 0)
mounts=$(grep -c . /proc/self/mountinfo)
run_lab up
equal "$(grep -c 'sha256 equal' "$T/lab.log")" 7 "files that arrived"
grep -q '^VSWITCH [0-9a-f]* () External Demo' "$T/lab.log" || fail "the switches are not shown"
reaches host 198.18.1.11 || fail "the host does not reach vm1"
first=$(<$RUN/vswd.pid)

# Again: the same switch, nothing started twice.
run_lab up
equal "$(<$RUN/vswd.pid)" "$first" "the pid of the vswd after the second lab up"
equal "$(ps -eo comm= | grep -c qemu-system)" 2 "VMs after the second lab up"

# Every command that it says to type next works.
awk '/^The switch is up/ { on = 1; next } on && /^  v/ { sub(/^ */, ""); sub(/   .*/, ""); print }' \
	"$T/lab.log" >"$T/next"
(($(wc -l <"$T/next") >= 4)) || fail "lab up says too little about what to type next"
while IFS= read -r line; do
	line=${line/ADDRESS/$("$vswsh" vswitch | awk '/^VSWITCH/ { print $2; exit }')}
	PATH=$build/switch:$build/debugshell:$PATH bash -c "$line" >"$T/out" 2>&1 ||
		fail "'$line' does not work: $(cat "$T/out")"
done <"$T/next"

run_lab vm third int
reaches host 198.18.2.20 || fail "the host does not reach the third VM"
! "$lab" vm 'a name' >/dev/null 2>&1 || fail "a wrong name is accepted"
! "$lab" vm fourth nowhere >/dev/null 2>&1 || fail "a switch that does not exist is accepted"
guest third poweroff 3 >/dev/null || :
port_gone() { ! ctl show ports third >/dev/null 2>&1; }
until_true 20 port_gone || fail "the port of a VM that ended is still there"

# Down, with a VM that was killed before.
kill -KILL "$(<$VM_DIR/vm2/pid)"
run_lab down
run_lab down
left=$(ps -eo comm= | grep -E 'qemu|vswd|busybox|tail' || :)
[[ -z $left ]] || fail "processes are left: $left"
left=$(ip -br link | grep -v '^lo ' || :)
[[ -z $left ]] || fail "interfaces are left: $left"
left=$(ip netns list)
[[ -z $left ]] || fail "namespaces are left: $left"
[[ ! -e /run/vsw && ! -e /run/vsw-lab && ! -e $T/lab-state ]] || fail "files are left"
equal "$(grep -c . /proc/self/mountinfo)" "$mounts" "mounts"
equal "$(cat $huge 2>/dev/null || echo 0)" "$before" "hugepages"

# A vswd that lab did not start is left alone.
RUN=/run/vsw STATE=$T/foreign
start
! "$lab" up </dev/null >"$T/lab.log" 2>&1 || fail "lab up takes over a foreign vswd"
"$lab" down >"$T/lab.log" 2>&1 || fail "lab down ended with $?"
ctl show switches >/dev/null || fail "lab down ends a foreign vswd"
finish
