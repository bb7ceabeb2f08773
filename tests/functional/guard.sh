#!/usr/bin/env bash
# DHCP guard, router guard and ARP guard: forged frames in every disguise, one by one; then the
# real programs: a rogue and a rightful DHCP server and their client, a router's advertisements, a
# machine that takes addresses that are not its own, and one that takes more than it may.
#
#   a b c ---[ switch s ]      a is guarded
source "$(dirname "$0")/lib.sh"

mac_a=02000000000a
start
ctl switch add s private >/dev/null
n=1
for m in a b c; do
	machine "$m" s "10.1.0.$n/24"
	n=$((n + 1))
done
# Only our own frames count.
for m in a b c; do
	ip -n "$m" link set eth0 address "02:00:00:00:00:0$m" arp off
done

# --- forging: each function prints hex; PACKET begins with its EtherType ---------------------

zeros() { printf '%0*d' $(($1 * 2)) 0; }
udp() { printf '%04x%04x%04x0000%s' "$1" "$2" $((8 + ${#3} / 2)) "$3"; }

# ipv4 PROTOCOL PAYLOAD [OPTIONS [FRAGMENT]]
ipv4() {
	local options=${3:-}
	printf '0800%02x00%04x1234%04x40%02x00000a0100010a0100ff%s%s' $((69 + ${#options} / 8)) \
		$((20 + ${#options} / 2 + ${#2} / 2)) "${4:-0}" "$1" "$options" "$2"
}

# ipv6 NEXT PAYLOAD [SOURCE]
ipv6() {
	printf '86dd60000000%04x%02xff%sff020000000000000000000000000001%s' $((${#2} / 2)) "$1" \
		"${3:-$local_a}" "$2"
}

extension() { printf '%02x%02x%s%s' "$1" $(($2 / 8 - 1)) "$(zeros $(($2 - 2)))" "$3"; } # NEXT BYTES
fragment() { printf '%02x00%04x00000001%s' "$1" "$2" "$3"; }                          # NEXT OFFSET
snap() { printf '%04xaaaa03000000%s' $((6 + ${#1} / 2)) "$1"; }                        # PACKET
arp() { printf '%s000108000604%04x%s%s%s%s' "$1" "$2" "$3" "$4" "${5:-000000000000}" "${6:-00000000}"; }

local_a=fe80000000000000000000fffe00000a
other=fe80000000000000000000fffe00000b
offer=02010600$(zeros 236)
discover=01010600$(zeros 236)
option_a=0101$mac_a
advertisement=86000000$(zeros 12)$option_a

# --- what is to be caught --------------------------------------------------------------------

# One a line: REASON HEX WHAT; '-' for what passes.
forged() {
	local udp68 reply ra redirect na nops
	udp68=$(udp 67 68 "$offer") reply=$(udp 67 67 "$offer")
	echo "DhcpGuard $(ipv4 17 "$udp68") an offer"
	echo "DhcpGuard $(ipv4 17 "$(udp 9999 68 "$offer")") an offer from another port"
	echo "DhcpGuard $(ipv4 17 "$reply") a reply to a relay"
	echo "- $(ipv4 17 "$(udp 68 67 "$discover")") a client's request"
	echo "- $(ipv4 17 "$(udp 67 67 "$discover")") a relay's request"
	nops=$(printf '01%.0s' {1..40})
	echo "DhcpGuard $(ipv4 17 "$udp68" "$nops") an offer behind options"
	echo "DhcpGuard $(ipv4 17 "$reply" "$nops") a reply to a relay behind options"
	echo "DhcpGuard $(ipv4 17 "$udp68" '' 8192) an offer's first fragment"
	echo "DhcpGuard $(ipv4 17 "$(udp 67 67 '')" '' 8192) a fragment that does not show what it is"
	echo "DhcpGuard $(ipv4 17 00430044 '' 8192) a fragment without its whole header"
	echo "- $(ipv4 17 "$(zeros 64)" '' 20) a later fragment"
	echo "DhcpGuard $(snap "$(ipv4 17 "$udp68")") an offer in SNAP"
	echo "DhcpGuard $(snap "$(ipv4 17 "$udp68")" | sed 's/^..../0008/') an offer in SNAP of a wrong length"
	echo "DhcpGuard 81000005$(ipv4 17 "$udp68") an offer with a tag"
	echo "DhcpGuard 810000058100000688a8000791000008$(ipv4 17 "$udp68") an offer with four tags"
	echo "DhcpGuard 8100000581000006810000078100000881000009$(ipv4 17 "$udp68") with five"
	echo "DhcpGuard $(ipv6 17 "$(udp 547 546 07000001)") an offer over IPv6"
	echo "DhcpGuard $(ipv6 0 "$(extension 43 8 "$(extension 60 16 "$(extension 17 24 "$(udp 547 546 07)")")")") behind headers"
	echo "- $(ipv6 17 "$(udp 546 547 01000001)") a client's request over IPv6"

	ra=$advertisement redirect=89000000$(zeros 36)
	echo "RouterGuard $(ipv6 58 "$ra") a router's advertisement"
	echo "RouterGuard $(ipv6 58 "$redirect") a redirect"
	echo "RouterGuard $(ipv4 1 "0500$(zeros 34)") a redirect of IPv4"
	echo "RouterGuard $(ipv4 1 "0900$(zeros 14)") a router's advertisement of IPv4"
	for first in 0 43 60 135; do
		echo "RouterGuard $(ipv6 "$first" "$(extension 58 8 "$ra")") behind header $first"
		echo "RouterGuard $(ipv6 "$first" "$(extension 58 200 "$ra")") behind a long header $first"
		echo "RouterGuard $(ipv6 44 "$(fragment "$first" 1 "$(extension 58 24 "$ra")")") in a fragment, behind $first"
		# What does not show what it is, is caught by the first guard that is on.
		echo "DhcpGuard $(ipv6 44 "$(fragment "$first" 1 "$(extension 58 24 '')")") hidden in the next fragment, $first"
		echo "DhcpGuard $(ipv6 "$first" "$(extension 58 480 "$ra")") too far behind, $first"
	done
	echo "RouterGuard $(ipv6 51 "$(printf '3a04%s%s' "$(zeros 22)" "$ra")") behind AH"
	echo "RouterGuard $(ipv6 44 "$(fragment 58 0 "$ra")") in the only fragment"
	echo "RouterGuard $(snap "$(ipv6 58 "$ra")") in SNAP"
	echo "RouterGuard 8100000588a80006$(ipv6 58 "$ra") with two tags"
	echo "- $(ipv6 44 "$(fragment 58 16 "$ra")") a later fragment of IPv6"
	echo "- $(ipv6 58 "80000000$(zeros 12)") an echo request of IPv6"
	echo "- $(ipv6 58 "85000000$(zeros 4)$option_a") a router's solicitation"

	echo "- $(arp 0806 1 $mac_a 0a010001) own ARP"
	echo "- $(arp 0806 1 $mac_a 00000000) a probe"
	echo "FailedSecurityPolicy $(arp 0806 1 $mac_a 0a010002) ARP from another's address"
	echo "FailedSecurityPolicy $(arp 0806 2 02000000000b 0a010001) ARP with another's link address"
	echo "FailedSecurityPolicy $(snap "$(arp 0806 2 $mac_a 0a010002)") ARP in SNAP"
	echo "FailedSecurityPolicy 8100000581000006$(arp 0806 2 $mac_a 0a010002) ARP with two tags"
	echo "FailedSecurityPolicy 0806000608000604000$(arp '' 2 $mac_a 0a010001 | cut -c16-) ARP of another medium"
	echo "- $(arp 8035 3 $mac_a 00000000 $mac_a 00000000) of a machine that has moved"
	echo "FailedSecurityPolicy $(arp 8035 4 $mac_a 0a010001 $mac_a 0a010002) a RARP server"
	na=8800000020000000$local_a
	echo "- $(ipv6 58 "${na}0201$mac_a") own neighbour advertisement"
	echo "FailedSecurityPolicy $(ipv6 58 "8800000020000000${other}0201$mac_a") of another's address"
	echo "FailedSecurityPolicy $(ipv6 58 "${na}020102000000000b") with another's link address"
	echo "FailedSecurityPolicy $(ipv6 58 "${na}0200$mac_a") with a malformed option"
	echo "FailedSecurityPolicy $(ipv6 44 "$(fragment 58 0 "${na}0201$mac_a")") in a fragment"
	echo "FailedSecurityPolicy $(ipv6 60 "$(extension 58 64 "8800000020000000${other}0201$mac_a")") behind a header"
	echo "- $(ipv6 58 "8700000000000000${other}$option_a") own solicitation"
	echo "FailedSecurityPolicy $(ipv6 58 "8700000000000000${other}$option_a" $other) from another's address"
	echo "FailedSecurityPolicy $(ipv6 58 "8700000000000000${other}" "$(zeros 16)") looking for another's duplicate"
	echo "- $(ipv6 58 "8700000000000000$local_a" "$(zeros 16)") looking for one's own duplicate"
}
forged >"$T/forged"

forge() { frame ff:ff:ff:ff:ff:ff "$mac_a" "$1" $((${#1} < 92 ? 60 : 12 + ${#1} / 2)); }

for m in a b; do
	ctl port set "$m" vlan trunk 5-7 native 7
done
# Without guards all of them pass.
passed=$(counter a rx_frames) arrived=$(counter b tx_frames)
while read -r reason hex what; do
	forge "$hex"
done <"$T/forged" >"$T/all"
send a eth0 <"$T/all"
total=$(wc -l <"$T/forged")
settles $((passed + total)) "frames without guards" counter a rx_frames
settles $((arrived + total)) "frames that arrived" counter b tx_frames

# With all guards, each goes where it belongs.
ctl port set a dhcp-guard on router-guard on arp-guard on address 10.1.0.1,2001:db8::1
passed=$(counter a rx_frames)
while read -r reason hex what; do
	if [[ $reason == - ]]; then
		forge "$hex" | send a eth0
		passed=$((passed + 1))
		settles "$passed" "frames that pass, with '$what'" counter a rx_frames
	else
		caught=$(drops a in "$reason")
		forge "$hex" | send a eth0
		settles $((caught + 1)) "$reason, of '$what'" drops a in "$reason"
	fi
done <"$T/forged"
equal "$(counter a rx_frames)" "$passed" "frames that passed"

# Each guard alone lets through what is the others' to catch.
only() {
	local keys="dhcp-guard off router-guard off arp-guard off" caught
	# shellcheck disable=SC2086 # words
	ctl port set a ${keys/"$1 off"/"$1 on"}
	passed=$(counter a rx_frames) caught=$(drops a in "$2")
	grep -v ' hidden \| without its \| five$\| wrong length$\| too far ' "$T/forged" >"$T/shown"
	while read -r _ hex _; do
		forge "$hex"
	done <"$T/shown" | send a eth0
	settles $((caught + $(grep -c "^$2" "$T/shown"))) "$2 by $1 alone" drops a in "$2"
	settles $((passed + $(grep -vc "^$2" "$T/shown"))) "what passes $1" counter a rx_frames
}
only dhcp-guard DhcpGuard
only router-guard RouterGuard

# --- the settings ----------------------------------------------------------------------------

policy=$(ctl show policy)
for wrong in "arp-guard on address none" "address 10.1.0.1/24" "address 10.1.0" "dhcp-guard maybe"; do
	# shellcheck disable=SC2086 # words
	! ctl port set a $wrong >/dev/null 2>&1 || fail "port set a $wrong was accepted"
done
equal "$(ctl show policy)" "$policy" "the policies after what was refused"
ctl port set a arp-guard on dhcp-guard on
row() { ctl -j show policy a | jq -r '.policy[0] | "\(.dhcp_guard) \(.router_guard) \(.arp_guard) \(.address)"'; }
equal "$(row)" "on on on 10.1.0.1,2001:db8::1" "show policy"
saved=$(ctl save)
stop KILL
start
state_of() { ctl -j show ports a | jq -r '.ports[0].state'; }
settles Connected "port a" state_of
equal "$(ctl save)" "$saved" "what is saved"
forge "$(ipv4 17 "$(udp 67 68 "$offer")")" | send a eth0
settles 1 "an offer after a restart" drops a in DhcpGuard

# --- DHCP ------------------------------------------------------------------------------------

for m in a b c; do
	ctl port set "$m" vlan default
	ip -n "$m" link set eth0 arp on
done
ctl port set a dhcp-guard off router-guard off arp-guard off

# dhcp_server MACHINE FIRST LAST: sets 'server'.
dhcp_server() {
	here "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --no-ping \
		--dhcp-authoritative --dhcp-range="$2,$3,255.255.255.0,2m" --dhcp-leasefile="$T/$1.leases" \
		--pid-file= --user=root --log-facility="$T/dnsmasq-$1.log" >/dev/null 2>&1 &
	server=$!
	disown
	until_true 5 serves_dhcp "$1" || fail "dnsmasq does not start in $1"
}
serves_dhcp() { here "$1" ss -Hlun 'sport = :67' | grep -q .; }

cat >"$T/lease" <<'EOF'
#!/bin/sh
[ "$1" != bound ] || echo "$ip" >/run/t/leased
EOF
chmod +x "$T/lease"
# The address that b is given, or nothing.
lease() {
	rm -f "$T/leased"
	here b busybox udhcpc -i eth0 -f -n -q -t 2 -T 1 -A 1 -s "$T/lease" >/dev/null 2>&1 || :
	[[ ! -f $T/leased ]] || cat "$T/leased"
}

dhcp_server a 10.1.0.200 10.1.0.209
rogue=$server
[[ $(lease) == 10.1.0.20? ]] || fail "the rogue server does not serve"
ctl port set a dhcp-guard on
equal "$(lease)" "" "the lease from a rogue server behind a guard"
(($(drops a in DhcpGuard) > 1)) || fail "no drop of the rogue's"
dhcp_server c 10.1.0.100 10.1.0.109
[[ $(lease) == 10.1.0.10? ]] || fail "the rightful server does not serve"
kill "$server" "$rogue"

# --- ARP -------------------------------------------------------------------------------------

ctl port set a arp-guard on
reachable a 10.1.0.2
! here a busybox arping -q -D -c 2 -w 3 -I eth0 10.1.0.2 || fail "a probe was not answered"
caught=$(drops a in FailedSecurityPolicy)
ip -n a addr add 10.1.0.77/24 dev eth0
ip -n a neigh flush dev eth0
! here a ping -q -c 1 -W 1 -I 10.1.0.77 10.1.0.3 >/dev/null 2>&1 || fail "a has another's address"
(($(drops a in FailedSecurityPolicy) > caught)) || fail "no drop of a's ARP"
ctl port set a address 10.1.0.1,10.1.0.64/26,2001:db8::1
reaches_as_77() { here a ping -q -c 1 -W 1 -I 10.1.0.77 10.1.0.3 >/dev/null 2>&1; }
until_true 10 reaches_as_77 || fail "a cannot use an address that it was given"

# --- the limit of addresses ------------------------------------------------------------------

# b may announce its own and two more; every further one is caught.
ctl port set b address 10.1.0.2 address-limit 2
reaches_as() {
	ip -n b addr replace "10.1.0.$1/24" dev eth0
	ip -n b neigh flush dev eth0
	ip -n c neigh flush dev eth0
	here b ping -q -c 1 -W 1 -I "10.1.0.$1" 10.1.0.3 >/dev/null 2>&1
}
not_as() {
	local caught
	caught=$(drops b in FailedSecurityPolicy)
	! reaches_as "$1" || fail "b takes one address more than its limit: 10.1.0.$1"
	(($(drops b in FailedSecurityPolicy) > caught)) || fail "no drop of b's ARP as 10.1.0.$1"
}
for n in 101 102 2 101; do
	until_true 10 reaches_as $n || fail "b cannot take 10.1.0.$n"
done
not_as 103
until_true 10 reaches_as 102 || fail "b has lost an address that it had"
# What was learned stays when another setting changes; a higher limit has room for more.
ctl port set b storm-limit 100000 router-guard on
not_as 103
ctl port set b address-limit 3 arp-guard on
until_true 10 reaches_as 103 || fail "b cannot take an address more with a higher limit"
not_as 104
until_true 10 reaches_as 101 || fail "b has lost an address that it had, with arp-guard"
ctl port set b address-limit 0 arp-guard off router-guard off storm-limit 0
until_true 10 reaches_as 104 || fail "b cannot take an address without a limit"

# --- IPv6 ------------------------------------------------------------------------------------

ipv6_on() {
	here "$1" sh -c 'cd /proc/sys/net/ipv6/conf
		for i in all default eth0; do echo 0 >$i/disable_ipv6; done'
}
addresses() { ip -n "$1" -6 -o addr show dev eth0 -tentative | grep "$2" || :; }
has() { [[ -n $(addresses "$1" "$2") ]]; }

ipv6_on a
until_true 10 has a fe80::ff:fe00:a || fail "a has no link-local address"
caught=$(drops a in FailedSecurityPolicy)
ip -n a addr add 2001:db8::1/64 dev eth0
until_true 10 has a 2001:db8::1/64 || fail "a has no address"
ipv6_on b
ip -n b addr add 2001:db8::2/64 dev eth0
until_true 10 has b 2001:db8::2/64 || fail "b has no address"
reachable a 2001:db8::2
equal "$(drops a in FailedSecurityPolicy)" "$caught" "drops of a's own addresses"
ip -n a addr add 2001:db8::77/64 dev eth0 nodad
until_true 5 has a 2001:db8::77/64 || fail "a has no second address"
ip -n a -6 neigh flush dev eth0
ip -n b -6 neigh flush dev eth0
unreachable b 2001:db8::77
(($(drops a in FailedSecurityPolicy) > caught)) || fail "no drop of a's neighbour advertisements"

# A router's advertisements: b makes itself an address of what it is told.
advertise() {
	here a dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --enable-ra \
		--dhcp-range=2001:db8:1::,ra-only --pid-file= --user=root \
		--log-facility="$T/dnsmasq-ra.log" >/dev/null 2>&1 &
	server=$!
	disown
}
ip -n a addr add 2001:db8:1::1/64 dev eth0 nodad
ctl port set a router-guard on
advertise
caught_ra() { (($(drops a in RouterGuard) > 0)); }
until_true 10 caught_ra || fail "nothing is advertised"
kill "$server"
! has b 2001:db8:1: || fail "b believes a's advertisement: $(addresses b 2001)"
ctl port set a router-guard off
advertise
until_true 10 has b 2001:db8:1: || fail "without a guard b does not hear a's advertisement"
kill "$server"
finish
