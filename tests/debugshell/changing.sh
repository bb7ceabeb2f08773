#!/usr/bin/env bash
# The shell looks while ports and switches come and go: what it shows is whole, or it says that
# it went away; it never takes a moment of change for damage.
source "$(dirname "$0")/../functional/lib.sh"

start
ctl switch add s internal >/dev/null
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

shown=0
end=$((SECONDS + 5))
while ((SECONDS < end)); do
	for words in vswitch "vswitch s" vport vnic proc "proc 0" fdb "fdb s" drops miniport mopen; do
		# shellcheck disable=SC2086 # words
		out=$("$vswsh" -r "$RUN" $words 2>&1) || fail "$words: $out"
		! grep -qE '^vswsh: |\*\*\*' <<<"$out" || fail "$words: $out"
		shown=$((shown + 1))
	done
done
rm "$T/churning"
wait "$churner" || fail "the churning failed"
((shown >= 100)) || fail "only $shown commands in 5 s"
finish
