#!/usr/bin/env bash
# Access control lists: forged frames one by one, of which each is to pass or to be counted as
# dropped in the right direction; then real programs behind stateful rules, through changes,
# restarts and a full table.
#
#   a b c ---[ switch s ]      a has the rules; c is a router, behind it is far
source "$(dirname "$0")/lib.sh"

declare -A mac=([a]=02:00:00:00:00:0a [b]=02:00:00:00:00:0b [c]=02:00:00:00:00:0c)
start
ctl switch add s private >/dev/null
n=1
for m in a b c; do
	machine "$m" s "10.1.0.$n/24"
	n=$((n + 1))
done
# Only our own frames count.
for m in a b c; do
	ip -n "$m" link set eth0 address "${mac[$m]}" arp off
	frame ff:ff:ff:ff:ff:ff "${mac[$m]}" | send "$m" eth0
done
known() { ctl -j show fdb s | jq '.fdb | length'; }
settles 3 "stations" known

rule() { ctl acl add a "$@" >/dev/null; }
no_rules() { ctl acl remove a all >/dev/null; }
# matched NUMBER frames|bytes
matched() { ctl -j acl show a | jq ".rules[] | select(.number == $1) | .$2"; }

# --- forging: IP packets in hex, each begins with its EtherType ------------------------------

zeros() { printf '%0*d' $(($1 * 2)) 0; }
# shellcheck disable=SC2086 # words
ip4() { printf '%02x%02x%02x%02x' ${1//./ }; }
ip6() { printf '20010db800000000000000000000%04x' "0x$1"; }
ports() { printf '%04x%04x%04x0000%s' "$1" "$2" $((8 + ${#3} / 2)) "$3"; } # as of UDP
tcp() { printf '%04x%04x0000000100000001%02x%02x10000000%04x' "$1" "$2" 80 "$3" 0; }
# ipv4 FROM TO PROTOCOL PAYLOAD [FRAGMENT]
ipv4() {
	printf '08004500%04x1234%04x40%02x0000%s%s%s' $((20 + ${#4} / 2)) "${5:-0}" "$3" "$(ip4 "$1")" \
		"$(ip4 "$2")" "$4"
}
# ipv6 FROM TO NEXT PAYLOAD, of addresses their last group
ipv6() { printf '86dd60000000%04x%02xff%s%s%s' $((${#4} / 2)) "$3" "$(ip6 "$1")" "$(ip6 "$2")" "$4"; }

forge() { frame "${mac[$1]}" "${mac[$2]}" "$3" $((${#3} < 92 ? 60 : 12 + ${#3} / 2)); } # TO FROM HEX
count=FailedSecurityPolicy

# leaves pass|drop HEX WHAT: a frame from a to b; enters ...: from b to a.
leaves() { judge a rx_frames in "$1" "$(forge b a "$2")" "$3"; }
enters() { judge b tx_frames out "$1" "$(forge a b "$2")" "$3"; }
judge() {
	local passed dropped
	passed=$(counter a "$2") dropped=$(drops a "$3" $count)
	send "$1" eth0 <<<"$5"
	if [[ $4 == pass ]]; then
		settles $((passed + 1)) "what passes, with '$6'" counter a "$2"
		equal "$(drops a "$3" $count)" "$dropped" "drops, with '$6'"
	else
		settles $((dropped + 1)) "$count, with '$6'" drops a "$3" $count
		equal "$(counter a "$2")" "$passed" "what passes, with '$6'"
	fi
}
arp=080600010800060400010000

# --- basic rules -----------------------------------------------------------------------------

udp_out=$(ipv4 10.1.0.1 10.1.0.2 17 "$(ports 1000 53 '')")
udp_in=$(ipv4 10.1.0.2 10.1.0.1 17 "$(ports 53 1000 '')")
leaves pass "$udp_out" "no rules"
enters pass "$udp_in" "no rules"

rule basic direction in remote "${mac[b]}" action deny
enters drop "$udp_in" "b denied by MAC"
enters drop $arp "ARP of b, denied by MAC"
leaves pass "$udp_out" "b denied by MAC, the other direction"
no_rules
enters pass "$udp_in" "no rules any more"
rule basic direction both local any-mac action deny
enters drop "$udp_in" "any MAC"
leaves drop $arp "any MAC"
rule basic direction out remote "${mac[b]}" action allow
leaves pass "$udp_out" "the exact MAC outweighs any"
rule basic direction out local "${mac[a]}" action deny
leaves drop "$udp_out" "of two exact ones, that which denies"
no_rules

# The longest prefix decides, of IPv4 and of IPv6.
rule basic direction both remote any action deny
enters drop "$udp_in" "all of IP denied"
leaves drop "$(ipv6 1 2 17 "$(ports 1 2 '')")" "all of IP denied, version 6"
enters pass $arp "ARP is not IP"
rule basic direction both remote 10.1.0.0/24 action allow
enters pass "$udp_in" "a longer prefix allows"
rule basic direction out remote 10.1.0.2 action deny
leaves drop "$udp_out" "a still longer one denies"
leaves pass "$(ipv4 10.1.0.1 10.1.0.3 17 "$(ports 1000 53 '')")" "another address of the prefix"
enters pass "$udp_in" "only that direction"
rule basic direction both remote 2001:db8::/64 action allow
leaves pass "$(ipv6 1 2 17 "$(ports 1 2 '')")" "a prefix of IPv6"
rule basic direction in remote 2001:db8::2 action deny
enters drop "$(ipv6 2 1 17 "$(ports 1 2 '')")" "an address of IPv6"
enters pass "$(ipv6 3 1 17 "$(ports 1 2 '')")" "another one"
enters pass "$(ipv4 10.1.0.2 10.1.0.1 17 "$(ports 1 2 '')" 8192)" "a first fragment"
enters drop 08004500 "a packet that hides its addresses"
no_rules

# Meters count every byte and decide nothing.
rule basic direction out remote any action meter
rule basic direction both remote 10.1.0.0/24 action meter
rule basic direction in remote 10.1.0.2 action deny
bytes=0
for size in 1 18 100 999 1400; do
	leaves pass "$(ipv4 10.1.0.1 10.1.0.2 17 "$(ports 1 2 "$(zeros $size)")")" "a meter"
	bytes=$((bytes + (size < 18 ? 60 : 42 + size)))
done
leaves pass "$(ipv6 1 2 17 "$(ports 1 2 '')")" "another meter"
enters drop "$udp_in" "a meter beside what is denied"
equal "$(matched 2 frames) $(matched 2 bytes)" "0 0" "what a meter counts of the other direction"
equal "$(matched 3 frames) $(matched 3 bytes)" "5 $bytes" "what a meter counts"
equal "$(matched 1 frames)" 1 "what the meter of the shorter prefix counts"
equal "$(matched 4 frames)" 1 "what the rule that denies counts"
# A rule keeps its count when others come and go.
rule basic direction in remote 10.1.0.3 action deny
ctl acl remove a 1
equal "$(matched 3 frames) $(matched 3 bytes)" "5 $bytes" "a meter after changes"
no_rules

# --- extended rules --------------------------------------------------------------------------

rule extended direction out action deny weight 1
rule extended direction in action deny weight 2
rule extended direction out action allow weight 10 protocol udp remote-port 53
rule extended direction in action allow weight 11 protocol udp remote-port 53 local-port 1024-65535
rule extended direction out action allow weight 12 protocol tcp local-port 80-81 remote-address 10.1.0.0/24
rule extended direction out action deny weight 13 protocol tcp local-port 81
rule extended direction in action allow weight 20 protocol icmpv6
rule extended direction in action allow weight 21 remote-address 2001:db8::7 protocol 47
leaves pass "$udp_out" "UDP to port 53"
leaves drop "$(ipv4 10.1.0.1 10.1.0.2 17 "$(ports 53 54 '')")" "UDP to another port"
enters drop "$udp_in" "UDP from port 53 to a low port"
enters pass "$(ipv4 10.1.0.2 10.1.0.1 17 "$(ports 53 1024 '')")" "UDP from port 53 to a high port"
enters pass "$(ipv4 10.1.0.2 10.1.0.1 17 "$(ports 53 65535 '')")" "UDP from port 53 to the highest port"
leaves pass "$(ipv4 10.1.0.1 10.1.0.2 6 "$(tcp 80 9 2)")" "TCP from port 80"
leaves drop "$(ipv4 10.1.0.1 10.1.0.2 6 "$(tcp 81 9 2)")" "TCP from port 81, by a higher weight"
leaves drop "$(ipv4 10.1.0.1 10.1.0.2 6 "$(tcp 82 9 2)")" "TCP from port 82"
leaves drop "$(ipv4 10.1.0.1 10.2.0.2 6 "$(tcp 80 9 2)")" "TCP to another network"
leaves drop "$(ipv6 1 2 6 "$(tcp 80 9 2)")" "TCP over IPv6"
enters pass "$(ipv6 2 1 58 "80000000$(zeros 12)")" "ICMPv6"
enters drop "$(ipv4 10.1.0.2 10.1.0.1 1 "08000000$(zeros 12)")" "ICMP"
enters pass "$(ipv6 7 1 47 "$(zeros 20)")" "a protocol by number"
enters drop "$(ipv6 6 1 47 "$(zeros 20)")" "the same of another address"
leaves drop "$(ipv4 10.1.0.1 10.1.0.2 17 0035)" "a packet that hides its ports"
enters pass $arp "ARP"
# What is basic is asked, too.
rule basic direction out remote 10.1.0.2 action deny
leaves drop "$udp_out" "UDP to port 53, by a basic rule"
no_rules

# --- what was refused changes nothing --------------------------------------------------------

rule extended direction in action deny weight 5
saved=$(ctl save)
# refused WORDS COMMAND...
refused() {
	local words=$1 said
	shift
	! said=$(ctl acl "$@" 2>&1) || fail "acl $* was accepted"
	[[ $said == *"$words"* ]] || fail "acl $*: $said"
	equal "$(ctl save)" "$saved" "what is saved after 'acl $*'"
}
refused "rule 1 has weight 5" add a extended direction out action allow weight 5
refused "did you mean 'a" add a extended direction in acton deny weight 6
refused "Known here: in, out" add a extended direction both action deny weight 6
refused "no packet has both" add a extended direction in action deny weight 6 \
	local-address 10.1.0.1 remote-address ::1
refused "a meter counts by IP" add a basic direction in local any-mac action meter
refused "no NIC" add s:default basic direction in local any action deny
refused "there is no port" add nobody basic direction in local any action deny
refused "has no rule 2" remove a 2
refused "did you mean 'show'" shwo a
refused "the name of a port" show
refused "is a switch" show s

# Nor does what could not be saved: rules are in force by then, and are taken back.
mv "$STATE/state.conf" "$T/kept"
mkdir "$STATE/state.conf"
refused "state.conf" remove a all
enters drop "$udp_in" "a rule whose removal was not saved"
refused "state.conf" add a extended direction out action deny weight 6
leaves pass "$udp_out" "a rule that was not saved"
rmdir "$STATE/state.conf"
mv "$T/kept" "$STATE/state.conf"
equal "$(matched 1 frames)" 1 "the count of the rule that was taken back"
no_rules
enters pass "$udp_in" "a rule whose removal was saved"

# --- real programs behind a stateful rule ----------------------------------------------------

for m in a b c; do
	ip -n "$m" link set eth0 arp on
done
make_file "$T/www/file" 10
serve b "$T/www"
serve a "$T/www"
here b socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat >/dev/null 2>&1 &
disown
here b dnsmasq --keep-in-foreground --conf-file=/dev/null --port=53 --no-resolv --no-hosts --interface=eth0 \
	--address=/name.test/10.9.9.9 --pid-file= --user=root --log-facility="$T/dnsmasq.log" >/dev/null 2>&1 &
disown
listens_to() { here "$1" ss -Hltnu "sport = :$2" | grep -q .; }
until_true 5 listens_to b 7 || fail "no echo in b"
until_true 5 listens_to b 53 || fail "no DNS in b"

# called SECONDS: whether b gets a file from a in time; asks SECONDS: whether a gets an answer of DNS.
called() { here b timeout "$1" busybox wget -q -O - http://10.1.0.1/file 2>/dev/null | cmp -s - "$T/www/file"; }
asks() { [[ $(here a timeout "$1" busybox nslookup name.test 10.1.0.2 2>/dev/null || :) == *10.9.9.9* ]]; }
# sessions FILTER: how many of a's match the filter of jq.
sessions() { ctl -j show sessions a | jq "[.sessions[] | select($1)] | length"; }

called 20 || fail "without rules b cannot call a"
asks 20 || fail "without rules a gets no answer of DNS"
rule extended direction in action deny weight 1
rule extended direction out action deny weight 2
! called 1 || fail "b calls a in spite of the rules"
! asks 1 || fail "a asks in spite of the rules"
rule extended direction out action allow weight 10 stateful on
fetch a http://10.1.0.2/file "$T/www/file"
asks 20 || fail "a gets no answer of DNS"
reachable a 10.1.0.2
unreachable b 10.1.0.1
! called 1 || fail "b calls a behind a stateful rule"
equal "$(ctl -j acl show a | jq -c '.rules[2] | [.number, .weight, .stateful, .idle_s]')" "[3,10,true,255]" \
	"acl show"

# A connection that lives on, whatever else becomes of the rules.
coproc ECHO { here a socat - TCP:10.1.0.2:7; }
from_echo=${ECHO[0]} to_echo=${ECHO[1]}
hears() { read -r -t "$2" said <&"$from_echo" && [[ $said == "$1" ]]; }
says() { echo "$1" >&"$to_echo" && hears "$1" "${2:-10}"; }
says one || fail "a's connection"
echo7='.protocol == "tcp" and .remote_port == 7 and .remote == "10.1.0.2" and .local == "10.1.0.1"'
equal "$(sessions "$echo7 and .state == \"established\" and .first == \"local\" and .rule == 3 and .vlan == 0")" \
	1 "the session"
for i in {1..8}; do
	rule extended direction in action deny weight 500 protocol udp
	rule basic direction both local any action meter
	says "more $i" || fail "the connection ended with rules that were added"
	ctl acl remove a 4
	ctl acl remove a 5
	ctl acl remove a 6
	says "less $i" || fail "the connection ended with rules that were removed"
done
equal "$(sessions "$echo7")" 1 "the session after changes"
[[ $(ctl show sessions a) == *established* ]] || fail "show sessions: $(ctl show sessions a)"

# It does not outlive its rule, and is taken up again with it.
dropped=$(drops a in $count)
ctl acl remove a 3
equal "$(sessions true)" 0 "sessions without their rule"
! says dead 2 || fail "the connection lives without its rule"
(($(drops a in $count) > dropped)) || fail "nothing of the dead connection was dropped"
rule extended direction out action allow weight 10 stateful on
hears dead 30 || fail "the connection is not taken up again"

# Nor does it end with vswd.
state_of() { ctl -j show ports "$1" | jq -r '.ports[0].state'; }
saved=$(ctl save)
for signal in TERM KILL; do
	stop $signal
	start
	for m in a b c; do
		settles Connected "port $m" state_of "$m"
	done
	equal "$(ctl save)" "$saved" "what is saved, after $signal"
	says "after $signal" 30 || fail "the connection ended with $signal"
	equal "$(sessions "$echo7")" 1 "the session after $signal"
	! called 1 || fail "b calls a after $signal"
done
exec {to_echo}>&-

# Nor is anything of what goes on lost when there may be more sessions, or fewer.
while head -c 20000 /dev/zero; do sleep 0.005; done 2>/dev/null |
	here b socat -u - TCP-LISTEN:8,reuseaddr >/dev/null 2>&1 &
disown
until_true 5 listens_to b 8 || fail "nobody listens in b"
here a socat -u TCP:10.1.0.2:8 OPEN:/dev/null >/dev/null 2>&1 &
stream=$!
flows_on() { (($(counter a tx_frames) > frames + 20)); }
denied() { echo "$(drops a in $count) $(drops a out $count)"; }
before=$(denied)
for i in {1..20}; do
	frames=$(counter a tx_frames)
	until_true 10 flows_on || fail "the stream has ended, with change $((i - 1))"
	ctl port set a sessions $((i % 2 ? 10000 * i : 2000))
done
frames=$(counter a tx_frames)
until_true 10 flows_on || fail "the stream has ended"
equal "$(denied)" "$before" "what of a stream is denied while its session goes to another table"
kill $stream
wait $stream || :
ctl port set a sessions default

# The way to another network is narrow, and a router says so: of a session, so it may come in.
ip netns add far
ip link add far type veth peer name eth0 netns far
ip link set far netns c
ip -n c addr add 10.2.0.1/24 dev far
ip -n c link set far up mtu 1280
ip -n far addr add 10.2.0.2/24 dev eth0
ip -n far link set eth0 up
ip -n far route add default via 10.2.0.1
ip -n a route add 10.2.0.0/24 via 10.1.0.3
here c sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
here far socat -u TCP-LISTEN:9 "CREATE:$T/far" >/dev/null 2>&1 &
far=$!
until_true 5 listens_to far 9 || fail "nobody listens far away"
head -c 1M "$T/www/file" >"$T/part"
here a timeout 30 socat -u "FILE:$T/part" TCP:10.2.0.2:9 || fail "a cannot send far away"
wait $far || fail "what is far away got no file"
cmp "$T/part" "$T/far" || fail "what arrived far away is not the file"
ip -n a route get 10.2.0.2 | grep -q 'mtu 1280' || fail "a was not told the MTU: $(ip -n a route get 10.2.0.2)"

# --- sessions end, and a table has an end ----------------------------------------------------

for m in a b c; do
	ip -n "$m" link set eth0 arp off
done
no_rules
rule extended direction in action deny weight 1
rule extended direction out action allow weight 10 stateful on idle-timeout 1
flow() { ipv4 10.1.0.1 10.1.0.2 17 "$(ports "$1" 53 '')"; }
reply() { ipv4 10.1.0.2 10.1.0.1 17 "$(ports 53 "$1" '')"; }
leaves pass "$(flow 100)" "a flow"
no_sessions() { [[ $(sessions true) == 0 ]]; }
until_true 20 no_sessions || fail "a silent session is not forgotten"
enters drop "$(reply 100)" "a late reply"
no_rules

rule extended direction in action deny weight 1
rule extended direction out action allow weight 10 stateful on idle-timeout 600
totals() { ctl -j show sessions a | jq -c '.totals[0] | [.sessions, .max, .refused, .when_full]'; }
ctl port set a sessions 3
for port in 101 102 103; do
	leaves pass "$(flow $port)" "a flow with room"
done
count=Resources
leaves drop "$(flow 104)" "a flow without room"
leaves drop "$(flow 105)" "another one"
count=FailedSecurityPolicy
equal "$(totals)" '[3,3,2,"drop"]' "totals"
leaves pass "$(flow 101)" "a flow that has its session"
enters pass "$(reply 102)" "its reply"
enters drop "$(reply 104)" "a reply without a session"
ctl port set a sessions-full allow
leaves pass "$(flow 106)" "a flow that may pass without a session"
enters drop "$(reply 106)" "its reply"
equal "$(sessions true)" 3 "sessions of a full table"
equal "$(ctl -j show policy a | jq -c '.policy[0] | [.sessions, .sessions_full, .acl_rules, .address_limit]')" \
	'[3,"allow",2,null]' "show policy"
ctl port set a sessions default sessions-full drop
leaves pass "$(flow 106)" "the same when there is room"
enters pass "$(reply 106)" "its reply"
# More than are shown at once.
passed=$(counter a rx_frames)
for port in {1001..1300}; do
	forge b a "$(flow "$port")"
done | send a eth0
settles $((passed + 300)) "many flows" counter a rx_frames
equal "$(sessions '.local_port > 1000')" 300 "sessions that are shown"
equal "$(ctl show sessions a | grep -c established)" 304 "the same as text"
no_rules
equal "$(totals)" '[0,4096,0,"drop"]' "totals without rules"

# --- many rules ------------------------------------------------------------------------------

for i in {1..1000}; do
	echo "acl add a extended direction out action deny weight $i protocol tcp local-port $((i + 4000))"
done >"$T/rules"
ctl -f "$T/rules" >/dev/null || fail "a thousand rules"
leaves drop "$(ipv4 10.1.0.1 10.1.0.2 6 "$(tcp 4777 9 2)")" "one of a thousand rules"
leaves pass "$(ipv4 10.1.0.1 10.1.0.2 6 "$(tcp 5001 9 2)")" "none of a thousand rules"
equal "$(matched 777 frames) $(matched 776 frames)" "1 0" "what they count"
saved=$(ctl save)
stop KILL
start
settles Connected "port a" state_of a
equal "$(ctl save)" "$saved" "a thousand rules after a restart"
leaves drop "$(ipv4 10.1.0.1 10.1.0.2 6 "$(tcp 5000 9 2)")" "the last of a thousand rules"
no_rules
leaves pass "$(flow 107)" "no rules at the end"
enters pass "$(reply 108)" "no rules at the end"

# --- what README and vswctl(8) advise --------------------------------------------------------

for m in a b; do
	ip -n "$m" link set eth0 arp on
	here "$m" sh -c 'cd /proc/sys/net/ipv6/conf
		for i in all default eth0; do echo 0 >$i/disable_ipv6; done'
	ip -n "$m" addr add "2001:db8::$m/64" dev eth0 nodad
done
here b dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --no-ping \
	--dhcp-authoritative --dhcp-range=10.1.0.100,10.1.0.109,255.255.255.0,2m \
	--dhcp-leasefile="$T/leases" --pid-file= --user=root --log-facility="$T/dhcp.log" >/dev/null 2>&1 &
server=$!
disown
until_true 5 listens_to b 67 || fail "no DHCP in b"
cat >"$T/lease" <<'EOF'
#!/bin/sh
[ "$1" != bound ] || echo "$ip" >/run/t/leased
EOF
chmod +x "$T/lease"
# Whether a is given an address.
leases() {
	rm -f "$T/leased"
	here a busybox udhcpc -i eth0 -f -n -q -t 2 -T 1 -A 1 -s "$T/lease" >/dev/null 2>&1 || :
	[[ -f $T/leased && $(<"$T/leased") == 10.1.0.10? ]]
}
# forgets COMMAND...: without the neighbours that are known
forgets() {
	ip -n a neigh flush dev eth0
	"$@"
}
rule extended direction in action deny weight 1
rule extended direction out action allow weight 10 stateful on
! leases || fail "a lease without a rule for DHCP"
unreachable a 2001:db8::b
rule extended direction in action allow weight 2 protocol icmpv6
forgets reachable a 2001:db8::b
rule extended direction in action allow weight 3 protocol udp remote-port 67 local-port 68
until_true 5 leases || fail "no lease in spite of a rule for DHCP"
! called 1 || fail "b calls a, who is not to be called"
kill "$server"

# A RST that no session belongs to passes by the rule.
no_rules
rule extended direction out action allow weight 10 stateful on
! refusal=$(here b timeout 10 socat -u /dev/null TCP:10.1.0.1:99 2>&1) || fail "something answers"
[[ $refusal == *refused* ]] || fail "a closed port does not refuse: $refusal"
finish
