#!/usr/bin/env bash
# A port with several queue pairs: what it says of them, flows over those that are on, a guest
# that switches them, restarts, and guests and commands that want more than there are.
source "$(dirname "$0")/lib.sh"

vguest=$VSW_BUILD/tests/guest/vguest
procs=(--procs "0,1")
(($(nproc) >= 2)) || procs=()
FLOWS=12 FRAMES=500

refused() {
	local words=$1
	shift
	! ctl "$@" >"$T/out" 2>"$T/err" || fail "'$*' is not refused"
	grep -q "$words" "$T/err" || fail "'$*': $(cat "$T/err")"
}

# pairs FIELD: of the port many's queue pairs, as a list.
pairs() { ctl -j show ports many | jq -c --arg f "$1" '[.ports[0].queue_pairs[][$f]]'; }

# tell COMMAND: the guest of many does it; its counts are in 'answer'.
tell() {
	echo "$1" >&"${many[1]}"
	IFS= read -r -t 60 answer <&"${many[0]}" || fail "the guest does not answer to '$1'"
	[[ $answer != *error* ]] || fail "the guest's '$1': $answer"
}
of() { jq -c "$1" <<<"$answer"; }

# Each flow has another sender's MAC. No ring can overflow: it has room for a whole flow.
send_flows() {
	local i
	tell clear
	for ((i = 0; i < FLOWS; i++)); do
		timeout 60 "$vguest" --socket "$RUN/one.sock" --mac "02:00:00:00:01:$(printf %02x $i)" \
			--to 02:00:00:00:00:04 --send $FRAMES --stream $i >"$T/one.out" ||
			fail "flow $i was not sent: $(cat "$T/one.out")"
		tell "expect $((FRAMES * (i + 1))) 20"
	done
	equal "$(of '[.streams[] | select(.good == '$FRAMES' and .missing == 0 and .late == 0)] |
		length')" $FLOWS "flows that came whole and in order ($answer)"
}

start "${procs[@]}"
ctl switch add s private >/dev/null
ctl port add one switch s vhost one.sock server >/dev/null
ctl port add many switch s vhost many.sock server queues 4 >/dev/null
refused "number from 1 to 16" port add x switch s vhost x.sock queues 0
refused "number from 1 to 16" port add x switch s vhost x.sock queues 17
refused "number from 1 to 16" port add x switch s vhost x.sock queues two
refused "leave it out" port add x switch s tap t-x queues 2
refused "leave it out" port add x switch s nic lo queues 2
refused "leave it out" port add x switch s pcap tx "$T/x.pcap" queues 2
if ((${#procs[@]} > 0)); then
	for q in 0 1 2 3; do
		ctl vmq pin many $q $((q % 2)) >/dev/null
	done
	equal "$(pairs proc | jq -c 'group_by(.) | map(length)')" '[2,2]' "queues of each proc"
fi
ctl save >"$T/saved"
grep -q 'many .*queues 4 features 0x' "$T/saved" || fail "save: $(cat "$T/saved")"
equal "$(pairs used)" '[false,false,false,false]' "queues that are used without a guest"

# More than there are: refused, and told to the guest.
status=0
timeout 20 "$vguest" --socket "$RUN/many.sock" --mac 02:00:00:00:00:05 --pairs 5 --timeout 2 \
	>"$T/out" 2>&1 || status=$?
equal "$status" 3 "exit code of a guest with a queue pair too many"
timeout 20 "$vguest" --socket "$RUN/many.sock" --mac 02:00:00:00:00:05 --pairs 2 --linger 2 \
	>"$T/out" 2>&1 &
fewer=$!
settles 2 "queues of a guest that has two" counter many queues_used
equal "$(pairs used)" '[true,true,false,false]' "queues of a guest that has two"
wait $fewer || fail "a guest with fewer queues: $(cat "$T/out")"

coproc many { exec timeout 170 "$vguest" --socket "$RUN/many.sock" --mac 02:00:00:00:00:04 \
	--pairs 4 --ring 1024 --interactive --reconnect 2>"$T/many.err"; }
settles 4 "queues that are used" counter many queues_used
# The switch learns where it is; one's own port takes what it sends.
tell "send 1 02:00:00:00:00:99"
send_flows
(($(of '[.pairs[] | select(. > 0)] | length') >= 3)) || fail "flows are not spread: $answer"
(($(pairs tx_bursts | jq '[.[] | select(. > 0)] | length') >= 3)) ||
	fail "bursts of the queues: $(pairs tx_bursts)"

tell "pairs 2"
settles 2 "queues after two were switched off" counter many queues_used
send_flows
equal "$(of '.pairs[2:]')" '[0,0]' "frames in queues that are off"
tell "pairs 1"
send_flows
equal "$(of '.pairs[1:]')" '[0,0,0]' "frames in queues that are off, all but one"
tell "pairs 4"
settles 4 "queues that are on again" counter many queues_used
send_flows

# A killed switch comes back with as many, and with the features that the guest knows.
stop KILL
start "${procs[@]}"
ctl save | diff "$T/saved" - || fail "what is saved has changed"
tell "run 2"
settles 4 "queues after the restart" counter many queues_used
tell "send 1 02:00:00:00:00:99"
send_flows
equal "$(drops many out Resources)" 0 "frames that found no room"
echo quit >&"${many[1]}"
finish
