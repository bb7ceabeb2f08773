#!/usr/bin/env bash
# The shell looks while ports, switches and policies come and go: what it shows is whole, or it says
# that it went away; it never takes a moment of change for damage.
source "$(dirname "$0")/../functional/lib.sh"

start
ctl switch add s internal >/dev/null
for name in stays mirrored; do
	ctl port add $name switch s tap t-$name >/dev/null
done

# A policy is replaced as a whole: what is shown of it is the one of these or the other, or none.
trunk="vlan trunk 5-11,200 native 5 ieee-priority on storm-limit 1000 dhcp-guard on arp-guard on
	address 10.0.0.1,fe80::1"
isolated="vlan isolated 100 101 ieee-priority off storm-limit 2000 dhcp-guard off arp-guard off address none"
none="vlan default ieee-priority off storm-limit 0 dhcp-guard off arp-guard off address none"
policies() {
	while [[ -e $T/churning ]]; do
		# shellcheck disable=SC2086 # words
		{
			ctl port set stays $trunk
			ctl port set mirrored mac 02:00:00:00:00:0a mirror source session 7
			ctl port set stays $isolated
			ctl port set mirrored router-guard on mirror none
			ctl port set stays $none
			ctl port set mirrored mac 02:00:00:00:00:0b router-guard off mirror destination session 7
			ctl port set mirrored mac none mirror none
		} >/dev/null
	done
}

# rows: of the policy that is shown.
rows() { "$vswsh" -r "$RUN" vport stays | sed -nE '/^    (VLAN|Without|Carries|Takes|Keeps|DHCP|ARP|Announces|Storm) /p'; }
: >"$T/whole"
for policy in "$trunk" "$isolated" "$none"; do
	# shellcheck disable=SC2086 # words
	ctl port set stays $policy >/dev/null
	rows | md5sum >>"$T/whole"
done
[[ $(sort -u "$T/whole" | wc -l) == 3 ]] || fail "the policies look alike: $(rows)"
churn() {
	while [[ -e $T/churning ]]; do
		ctl switch add other private >/dev/null
		for name in a b c; do
			ctl port add $name switch s tap t-$name >/dev/null
			ctl port add o$name switch other vhost o$name.sock >/dev/null
		done
		ctl port set a friendly-name "another name" >/dev/null
		ctl port remove b >/dev/null
		ctl switch remove other >/dev/null
		ctl port remove a >/dev/null
		ctl port remove c >/dev/null
	done
}
touch "$T/churning"
churn &
churner=$!
policies &
other=$!

shown=0
end=$((SECONDS + 5))
while ((SECONDS < end)); do
	for words in vswitch "vswitch s" vport "vport stays" "vport mirrored" vnic proc "proc 0" fdb "fdb s" \
		drops miniport mopen; do
		# shellcheck disable=SC2086 # words
		out=$("$vswsh" -r "$RUN" $words 2>&1) || fail "$words: $out"
		! grep -qE '^vswsh: |\*\*\*' <<<"$out" || fail "$words: $out"
		shown=$((shown + 1))
	done
	policy=$(rows)
	md5sum <<<"$policy" >"$T/sum"
	grep -qFf "$T/sum" "$T/whole" || fail "a policy that never was: $policy"
	cat "$T/sum" >>"$T/seen"
done
rm "$T/churning"
wait "$churner" || fail "the churning failed"
wait "$other" || fail "the policies cannot be changed"
(($(sort -u "$T/seen" | wc -l) == 3)) || fail "not all policies were seen: $(sort "$T/seen" | uniq -c)"
((shown >= 100)) || fail "only $shown commands in 5 s"
finish
