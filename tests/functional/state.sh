#!/usr/bin/env bash
# What is configured comes back, byte for byte; what is wrong changes nothing.
source "$(dirname "$0")/lib.sh"

cat >"$T/commands" <<'END'
# A start-up file.
switch add "my lab" internal tap vsw-lab
switch set "my lab" friendly-name "The \"lab\"" ageing 60 mtu 2000
switch add p private id 11111111-2222-3333-4444-555555555555
port add one switch "my lab" vhost one.sock mac 02:00:00:00:00:01 id 7
port add two switch p tap t-two
port set two friendly-name "Zwei" max-stations 5
END
start -c "$T/commands"
ctl port add three switch p vhost three.sock server >/dev/null
ctl port add four switch p vhost four.sock >/dev/null
ctl port remove four >/dev/null
ctl save >"$T/save.1"
grep -q '11111111-2222-3333-4444-555555555555' "$T/save.1" || fail "no GUID in save"
grep -q '"The \\"lab\\""' "$T/save.1" || fail "no friendly name in save"

# Killed and stopped; the start-up file is not used a second time.
stop KILL
start -c "$T/commands"
ctl save >"$T/save.2"
diff "$T/save.1" "$T/save.2" || fail "save differs after kill -9"
stop TERM
start
ctl save >"$T/save.3"
diff "$T/save.1" "$T/save.3" || fail "save differs after SIGTERM"

# Ids are never given out twice, also not after a restart.
ctl port add five switch p vhost five.sock >/dev/null
(($(counter five id) > 3)) || fail "the id of a removed port was given out again"
ctl port remove five >/dev/null
ctl save >"$T/save.1"

# Each of these is refused with a reason, on standard error, and changes nothing.
refused() {
	local status=0
	ctl "$@" >"$T/out" 2>"$T/err" || status=$?
	((status == 1)) || fail "'$*' ended with $status"
	[[ ! -s $T/out ]] || fail "'$*' printed: $(cat "$T/out")"
	[[ -s $T/err ]] || fail "'$*' gave no reason"
	ctl save >"$T/save.4"
	diff "$T/save.1" "$T/save.4" || fail "'$*' changed something"
}
refused switch
refused swich add x private
refused switch add
refused switch add p private
refused switch add x public
refused switch add x external
refused switch add x external nic no-such-nic
refused switch add x private nic lo
refused switch add "$(printf 'x%.0s' {1..65})" private
refused switch add $'x\ny' private
refused switch add x private id 1234
refused switch add x private id 11111111-2222-3333-4444-555555555555
refused switch set p
refused switch set p ageing
refused switch set p ageing -1
refused switch set p mtu 100000
refused switch set p colour red
refused switch set p ageing 5 colour red
refused switch remove x
refused port add one switch p tap t-y
refused port add x switch p
refused port add x switch q tap t-y
refused port add x switch p tap t-y nic lo
refused port add x switch p tap an-interface-name-too-long
refused port add x switch p vhost "/$(printf 'x%.0s' {1..200})"
refused port add x switch p tap t-y mac 01:00:00:00:00:01
refused port add x switch "my lab" tap t-y id 7
refused port add x switch "my lab" vhost one.sock
refused port add x switch p pcap
refused port add x switch p pcap rx relative.pcap
refused port add x switch p pcap rx /no/such/file
refused port set two mac
refused port set p:default mac 02:00:00:00:00:01
refused port remove p:default
refused port remove x
refused show
refused show p
refused show ports x
refused help x
[[ ! -e /sys/class/net/t-y ]] || fail "a refused command left a TAP"

# A file stops at its first wrong line and says which; what was done before stays.
printf 'switch add f1 private\nswitch add f2 wrong\nswitch add f3 private\n' >"$T/file"
if ctl -f "$T/file" >/dev/null 2>"$T/err"; then fail "a wrong file was accepted"; fi
grep -q ':2:' "$T/err" || fail "the error does not name line 2: $(cat "$T/err")"
ctl show switches f1 >/dev/null || fail "the line before the wrong one is not done"
! ctl show switches f3 >/dev/null 2>&1 || fail "the line after the wrong one is done"
ctl switch remove f1 >/dev/null

# What could not be written was not said.
for command in "save" "version" "-j save" "--version"; do
	# shellcheck disable=SC2086 # words
	! ctl $command >/dev/full 2>/dev/null || fail "'$command' into a full disk is a success"
	# shellcheck disable=SC2086
	! ctl $command >&- 2>/dev/null || fail "'$command' into nothing is a success"
done

# A vswd that stands still is told of, and its answer still comes.
kill -STOP "$pid"
ctl version >"$T/late" 2>"$T/late.err" &
late=$!
until_true 30 grep -q 'has not answered' "$T/late.err" || fail "vswctl waits in silence"
kill -CONT "$pid"
wait $late || fail "the late answer did not come: $(cat "$T/late.err")"

# The text of save rebuilds the same switch elsewhere.
stop TERM
ip link delete vsw-lab
ip link delete t-two
STATE=$T/state2
start -c "$T/save.1"
ctl save >"$T/save.5"
diff "$T/save.1" "$T/save.5" || fail "save from save differs"
finish
