#!/usr/bin/env bash
# All policies of a port changed a thousand times, while two other ports exchange frames at a fifth
# of full load: none of theirs is lost but what their own guests had no room for, and none is
# changed.
source "$(dirname "$0")/lib.sh"

(($(nproc) >= 2)) || { echo "switch and generator need a core each"; exit 77; }
vswbench=$build/bench/vswbench
changes=1000

start
ctl switch add s private >/dev/null
for n in 0 1; do
	ctl port add "p$n" switch s vhost "$T/$n.sock" server >/dev/null
done
ctl port set p0 vlan access 5
ctl port set p1 vlan access 5 storm-limit 100000000
machine a s 10.1.0.1/24
machine b s 10.1.0.2/24
ctl port add watch switch s pcap tx "$T/watch.pcap" >/dev/null

# One change of each kind after the other, each there and back.
kinds=(
	"vlan access 7" "vlan trunk 1-100,200 native 5 prune 7" "vlan isolated 100 101"
	"vlan community 100 102" "vlan promiscuous 100 101-102" "vlan default"
	"mac 02:00:00:00:00:aa" "vm web teaming on" "teaming off vm none" "mac-spoofing on"
	"mac dynamic mac-spoofing off" "mac none" "ieee-priority on" "ieee-priority off"
	"storm-limit 1" "storm-limit 0" "mirror source" "mirror destination session 3" "mirror none"
	"sessions 100000" "sessions-full allow" "sessions default sessions-full drop"
	"dhcp-guard on" "router-guard on" "arp-guard on address 10.1.0.1,2001:db8::/64"
	"address-limit 4" "arp-guard off address none" "address-limit 0"
	"dhcp-guard off router-guard off"
)
kinds=("${kinds[@]/#/port set a }")
kinds+=(
	"acl add a basic direction both remote 10.1.0.0/24 action meter"
	"acl add a extended direction in action deny weight 1 protocol tcp local-port 80-90"
	"acl add a extended direction out action allow weight 9 stateful on" "acl remove a 1"
	"acl add a basic direction both local any-mac action deny" "acl remove a all"
)
for ((i = 0; i < changes; i++)); do
	echo "${kinds[i % ${#kinds[@]}]}"
done >"$T/changes"
echo 'port set a vlan default mac none storm-limit 0 mirror none sessions default' \
	'dhcp-guard off router-guard off arp-guard off address none address-limit 0' \
	'sessions-full drop' >>"$T/changes"
echo 'acl remove a all' >>"$T/changes"
"$vswctl" -r "$RUN" -f "$T/changes" >/dev/null || fail "the changes themselves"

# A guest may greet another whose rings are not there yet.
others() {
	ctl -j show ports | jq '[.ports[] | select(.name == "p0" or .name == "p1") |
		(.drops_in + .drops_out) | to_entries[] | select(.key != "Resources" and .key != "NotReady") | .value] | add // 0'
}
no_room() { ctl -j show ports | jq '[.ports[].drops_out.Resources // 0] | add'; }

# Where others use the cores, too, switch and guests stand still for milliseconds; a ring has
# room for what comes meanwhile.
guests=(--verify --ring 8192 --no-ceiling --warm-up 0.2 --timeout 60 -j --guest "$T/0.sock" --guest "$T/1.sock")
# bench TEST OPTION...: at full load, frames that find no room are no fault.
bench() {
	local status=0
	"$vswbench" "$@" "${guests[@]}" >"$T/out.json" 2>"$T/err" || status=$?
	((status == 0)) || [[ $1 == rate && $status == 1 ]] || fail "vswbench: $(cat "$T/err" "$T/out.json")"
}
value() { jq ".result.$1 | floor" "$T/out.json"; }

# Noise makes full load less, never more.
full=0
for i in 1 2 3; do
	bench rate --seconds 0.3
	now=$(jq '.result.rx_mpps * 1e6 | floor' "$T/out.json")
	full=$((now > full ? now : full))
done
rate=$((full / 5))
((rate > 0)) || fail "nothing goes through: $(cat "$T/out.json")"

# For how long the switch's procs have waited for a core, and the machine for its hypervisor, in
# microseconds.
stood_still() {
	local task
	for task in /proc/"$pid"/task/*; do
		[[ ${task##*/} == "$pid" ]] || cat "$task/schedstat"
	done | awk -v steal="$(awk '$1 == "cpu" { print $9 }' /proc/stat)" \
		'{ waited += $2 } END { print int(waited / 1e3) + 10000 * steal }'
}

no_changes() { ! pgrep -x vswctl >/dev/null; }

# One run through all changes; says in 'noise' what was not as it is to be, but may be because
# others had the cores. A frame that its sender's full ring refused is lost, too, unless the switch
# had no core then.
round() {
	local before waited room
	before=$(no_room) waited=$(stood_still)
	bench blackout --rate "$rate" --command "'$vswctl' -r '$RUN' -f '$T/changes'"
	waited=$(($(stood_still) - waited))
	# Their rings can overflow after the last frame that counts, too.
	room=$(($(no_room) - before))
	(($(value lost) <= room)) || fail "$(value lost) frames are lost, $room had no room"
	equal "$(others)" 0 "frames dropped for other reasons"
	equal "$(value late) $(value flooded)" "0 0" "late and flooded frames"
	noise=''
	if [[ $(jq .result.command_exit "$T/out.json") == null ]]; then
		noise="the changes did not end in time"
		until_true 60 no_changes || fail "the changes do not end"
		return
	fi
	equal "$(value command_exit)" 0 "how the changes ended"
	(($(value refused) <= rate * waited / 1000000)) ||
		noise="$(value refused) frames were refused; the switch was without a core for $waited us only"
	(($(value due) > 3 * rate)) ||
		noise=${noise:-"few: only $(value due) frames, of $rate a second"}
}
for i in 1 2 3; do
	round
	[[ $noise ]] || break
done
[[ ! $noise || $noise == few:* ]] || fail "$noise"
(($(value due) > 20000)) || fail "only $(value due) frames were sent, at $rate a second"
equal "$(ctl -j show policy a | jq -r '.policy[0] | "\(.vlan) \(.mac) \(.storm_limit)"')" \
	"default null null" "what is left of it"
finish
