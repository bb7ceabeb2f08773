#!/usr/bin/env bash
# The frames that were dropped last: which, why, at which port, when; of a vswd that runs, is
# stopped, of its core, and of its dump, in which there is no byte of them.
#
#      t1, t2: TAPs of the switch s, whose MTU is 1500
source "$(dirname "$0")/../functional/lib.sh"

secret=tenants-own-data-0123456789
payload=$(printf %s%s%s%s $secret $secret $secret $secret | xxd -p | tr -d '\n')
source=020000000001

# shown PATTERN: the row is in the list.
shown() { "$vswsh" -p "$pid" vnbl | grep -qE "^    VNBL +$1"; }
# the_frame PATTERN: the address of the newest record like that.
the_frame() { "$vswsh" -p "$pid" vnbl | grep -E "^    VNBL +$1" | awk '{ print $2; exit }'; }
# dropped PATTERN: the row comes.
dropped() { until_true 5 shown "$1" || fail "no '$1' in: $("$vswsh" -p "$pid" vnbl)"; }

start --procs 1
ctl switch add s private >/dev/null
for port in t1 t2; do
	ctl port add $port switch s tap $port >/dev/null
	echo 1 >/proc/sys/net/ipv6/conf/$port/disable_ipv6
	ip link set $port mtu 4000 up
done
"$vswsh" -p "$pid" vnbl >"$T/none"
grep -A3 '^DROPPED FRAMES$' "$T/none" | grep -qx '    \[None\]' || fail "something was dropped: $(<"$T/none")"

# Each of another reason; all about it stands in the row and behind its address.
a='[0-9a-f]{16}'
echo "0180c200000e${source}88cc$payload" | send host t1
dropped "$a  0 +1 +[0-9.]+ m?u?s +122 +$a  t1 +In +BridgeReserved +Ethernet$"
frame 02:00:00:00:00:02 02:00:00:00:00:01 8100000708004500 1600 | send host t1
dropped "$a  0 +2 +[0-9.]+ m?u?s +1596 +$a  t1 +In +MTUMismatch +Ethernet IPv4$"
frame 02:00:00:00:00:02 03:00:00:00:00:01 | send host t2
dropped "$a  0 +3 +[0-9.]+ m?u?s +60 +$a  t2 +In +InvalidSourceMac +Ethernet$"
"$vswsh" -p "$pid" vnbl | sed -n 's/^    VNBL  [0-9a-f]*  0 *\([0-9]*\) .*/\1/p' | tr '\n' ' ' >"$T/order"
[[ $(<"$T/order") == "3 2 1 " ]] || fail "the order is $(<"$T/order")"

lldp=$(the_frame ".* BridgeReserved ")
"$vswsh" -p "$pid" vnbl -x "$lldp" >"$T/frame"
for row in "Frame  *1 of 3 that the proc dropped" "When  *20.*" "Age  *[0-9.]* m*s" \
	"vPort  *[0-9a-f]{16}   !nvkd.vport [0-9a-f]{16} \(t1\)" "Direction  *In: .*" \
	"Reason  *19 \(BridgeReserved\): destination 01-80-C2-00-00-0x is never forwarded" \
	"Source vPort  *[0-9a-f]{16} .*\(t1\)" "SafePacketDataSize 122 of 122 bytes" \
	"Ethernet  *02-00-00-00-00-01 > 01-80-C2-00-00-0E, LLDP" \
	"0000  01 80 c2 00 00 0e 02 00-00 00 00 01 88 cc 74 65  \.\.\.\.\.\.\.\.\.\.\.\.\.\.te"; do
	grep -qE "^    $row$" "$T/frame" || fail "no '$row' in: $(<"$T/frame")"
done
"$vswsh" -p "$pid" vnbl "$(the_frame ".* MTUMismatch ")" >"$T/frame"
for row in "VLAN  *7, priority 0, type 0x8100" "Safe bytes  *128 of [0-9]* kept at .*"; do
	grep -qE "^    $row$" "$T/frame" || fail "no '$row' in: $(<"$T/frame")"
done
cmp <("$vswsh" -p "$pid" vnbl "$lldp" | grep -v Age) <("$vswsh" -p "$pid" "$lldp" | grep -v Age) ||
	fail "an address alone"
# refused OFFSET SENTENCE: what is so many bytes behind the first record.
refused() {
	local address
	address=$(printf '%016x' $((16#$lldp + $1)))
	! "$vswsh" -p "$pid" vnbl "$address" >"$T/said" 2>&1 || fail "vnbl of $1 bytes on"
	grep -qx "vswsh: $address $2" "$T/said" || fail "vnbl of $1 bytes on: $(<"$T/said")"
}
refused 8 "is no frame of a proc; vnbl without argument lists them"
refused $((3 * (16#$(the_frame ".* MTUMismatch ") - 16#$lldp))) "holds no frame: it was not used yet"
[[ $("$vswsh" -p "$pid" vnbl t2 | grep -c '^    VNBL') == 1 ]] || fail "those of one port"
"$vswsh" -p "$pid" drops t1 | grep -qE '^    Last of them +[0-9a-f]+   !nvkd\.vnbl ' || fail "the way there"
[[ $("$vswsh" -p "$pid" -j vnbl | jq -r '[.dropped_frames[] | .reason] | join(" ")') == \
	"InvalidSourceMac MTUMismatch BridgeReserved" ]] || fail "JSON: $("$vswsh" -p "$pid" -j vnbl)"

# A port that is gone, and another one in its place, is not mistaken.
id=$(printf '0x%04x' "$(ctl -j show ports t2 | jq '.ports[0].id')")
ctl port remove t2 >/dev/null
dropped "$a  0 +3 +[^ ]+ m?u?s +60 +\[Gone\] +id $id +In +InvalidSourceMac +Ethernet$"
ctl port add t3 switch s tap t3 >/dev/null
dropped "$a  0 +3 +[^ ]+ m?u?s +60 +\[Gone\] +id $id +In +InvalidSourceMac +Ethernet$"

# Standing still: the core shows the same, the dump all but the bytes.
everything() {
	local list
	list=$("$vswsh" "$@" vnbl)
	echo "$list"
	awk '/^    VNBL / { print "vnbl -x " $2 }' <<<"$list" | "$vswsh" "$@"
}
stands() { [[ $(<"/proc/$pid/stat") == *") T "* ]]; }
kill -STOP "$pid"
trap 'status=$?; kill -CONT "$pid" 2>/dev/null || :; on_exit $status' EXIT # it is asked there
until_true 5 stands || fail "it does not stop"
everything -p "$pid" >"$T/stopped"
grep -q '^SAFE BYTES$' "$T/stopped" || fail "no bytes: $(<"$T/stopped")"
if "$vswsh" -p "$pid" dump "$T/small" >"$T/said" 2>&1; then
	! grep -qF "${secret:0:16}" "$T/small" || fail "a dropped frame is in the dump"
	everything -z "$T/small" >"$T/dumped"
	diff <(grep -E '^    VNBL' "$T/stopped" | sed -E 's/ (Ethernet|Ethernet IPv4)$//') \
		<(grep -E '^    VNBL' "$T/dumped" | sed -E 's/ \[Not there\]$//') || fail "the dump's list"
	[[ $(grep -c '^    Safe bytes         \[not in the dump\]$' "$T/dumped") == 3 ]] ||
		fail "what a dump lacks is not told: $(<"$T/dumped")"
	grep -q '^    Reason  *19 (BridgeReserved)' "$T/dumped" || fail "a record is not in the dump"
else
	grep -q 'without which frames cannot be told' "$T/said" || fail "dump: $(<"$T/said")"
fi
if command -v gcore >/dev/null; then
	gcore -o "$T/gcore" "$pid" >"$T/gcore.log" 2>&1 || fail "gcore: $(<"$T/gcore.log")"
	everything -z "$T/gcore.$pid" | diff "$T/stopped" - || fail "the core shows something else"
	grep -qF "${secret:0:16}" "$T/gcore.$pid" || fail "the frame is not in the switch's memory at all"
	rm "$T/gcore.$pid"
fi
kill -CONT "$pid"

# The last 64 are kept, and they can be read while others take their place.
for ((i = 0; i < 100; i++)); do
	echo "0180c200000e${source}88cc$payload"
done | to_pcap "$T/many.pcap"
ctl port add p1 switch s pcap rx "$T/many.pcap" >/dev/null
dropped "$a  0 +103 .* p1 +In +BridgeReserved +Ethernet$"
"$vswsh" -p "$pid" vnbl >"$T/list"
[[ $(grep -c '^    VNBL' "$T/list") == 64 ]] || fail "not 64 but: $(<"$T/list")"
grep -qE '^    VNBL +[0-9a-f]+  0 +40 ' "$T/list" || fail "the oldest is not number 40: $(<"$T/list")"
ctl port add vm switch s vhost vm.sock server >/dev/null
"$build/tests/guest/vguest" --socket "$RUN/vm.sock" --mac 02:00:00:00:01:00 --to 01:80:c2:00:00:01 \
	--send 100000000 --rate 20000 --timeout 100 >"$T/vguest.log" 2>&1 &
guest=$!
disown
dropped "$a  0 +[0-9]+ .* vm +In +BridgeReserved +Ethernet$"
for ((i = 0; i < 30; i++)); do
	everything -p "$pid" >"$T/moving" 2>"$T/stderr" || :
	! grep -q '\*\*\*\|damaged' "$T/moving" "$T/stderr" || fail "damage: $(cat "$T/moving" "$T/stderr")"
	[[ $(grep -c '^    VNBL .* vm ' "$T/moving") -gt 0 ]] || fail "nothing is shown: $(<"$T/moving")"
done
kill -KILL "$guest"
finish
