#!/usr/bin/env bash
# Two guests beside one that misbehaves: none of what it does stops them. How little it costs takes
# a quiet machine to say: bench/isolation.sh, of which this is the short form.
source "$(dirname "$0")/lib.sh"

(($(nproc) > 1)) || { echo "one core alone: guests and switch cannot work at once"; exit 77; }

# isolation OPTION...: sets 'status'.
isolation() {
	status=0
	# More huge pages than there are: it is to do without.
	TMPDIR=$T/tmp SW_HUGEPAGES=99999999 timeout 150 "$tests/../bench/isolation.sh" --build "$build" "$@" \
		>"$T/text" 2>"$T/isolation.log" || status=$?
}
says() { grep -qE -- "$1" "$2" || fail "no '$1' in: $(<"$2")"; }

mkdir "$T/tmp"
isolation --output "$T/isolation" --rounds 1 --seconds 0.3
# Any verdict will do.
[[ $status == [013] ]] || fail "it ended with $status"
for rogue in silent storm stations breaks; do
	says "^$rogue( +[0-9.]+){2} \|( +[0-9.]+){2} \|( +[0-9.]+){3} \| +[0-9]+\$" "$T/text"
done
says "^(At half load|There is too much noise)" "$T/text"
results=$T/isolation/results.json
jq -e '[.neighbours[].rogue] == ["silent", "storm", "stations", "breaks"]' "$results" >/dev/null ||
	fail "some were not measured: $(<"$results")"
jq -e '.neighbours | .[1].rogue_mpps > 0.001 and .[2].rogue_mpps > 0.001 and .[3].rogue_breaks > 1' \
	"$results" >/dev/null || fail "the rogue did not misbehave: $(<"$results")"
# A tenth is what hardly any machine's noise explains, three times.
stops_nobody() {
	jq -e '.neighbours | (100 - .[0].half_loss_pct) as $alone |
		all(.full_ratio > 0.1 and 100 - .half_loss_pct > $alone / 10)' "$1" >/dev/null
}
for again in 1 2; do
	! stops_nobody "$results" || break
	isolation --output "$T/isolation$again" --rounds 1 --seconds 0.3
	results=$T/isolation$again/results.json
done
stops_nobody "$results" || fail "a neighbour stops the others: $(<"$results")"
[[ -z $(ls "$T/tmp") ]] || fail "it left $(ls "$T/tmp")"

for wrong in "--rounds 0" "--seconds 0" "--size x" "--tolerance 2" "--what" "more"; do
	# shellcheck disable=SC2086 # words
	isolation $wrong
	((status == 2)) || fail "'$wrong' ended with $status"
	[[ ! -s $T/text ]] || fail "'$wrong' printed $(<"$T/text")"
done
isolation --output "$T/isolation"
says "has results already" "$T/isolation.log"
((status == 2)) || fail "results were to be written over: $status"
finish
