#!/usr/bin/env bash
# top of what has no rates, of what is damaged, and with options that it does not take.
. "$(dirname "$0")/lib.sh"

# said RESULT PATTERN WORD...: the one sentence that vswsh says.
said() {
	local result=0
	timeout 30 "$VSWSH" "${@:3}" >"$dir/stdout" 2>"$dir/stderr" </dev/null || result=$?
	[ "$result" = "$1" ] || fail "${*:3} gave $result: $(cat "$dir/stderr")"
	without_note <"$dir/stderr" >"$dir/said"
	[ "$(wc -l <"$dir/said")" = 1 ] || fail "${*:3} said: $(cat "$dir/said")"
	grep -qE "^vswsh: $2\$" "$dir/said" || fail "${*:3} said '$(cat "$dir/said")', not '$2'"
}

fake "$FAKE" clock
timeout 30 "$VSWSH" -p "$fake" top -d 0.1 >"$dir/out" 2>/dev/null || fail "top of a healthy one"
grep -qE '^    ext:internal  *Internal  *Connected  *0  *0  *0.0  *0.0  *0  *0  *-$' "$dir/out" ||
	fail "a port that rests: $(cat "$dir/out")"
tail -n 4 "$dir/out" | grep -q '^    \[None\]$' || fail "no drops: $(cat "$dir/out")"
for words in "-d" "-d 0" "-d 0.09" "-d 3601" "-d x" "-d 1x" "-d nan" "-d inf" "-d -1"; do
	# shellcheck disable=SC2086 # words
	said 1 "(a delay is 0.1 to 3600 seconds|top takes -d SECONDS and -n COUNT, not '-d')" \
		-p "$fake" top $words
done
for words in "-n 0" "-n 1.5" "-n -1" "-n 1000001" "-n x"; do
	# shellcheck disable=SC2086 # words
	said 1 "a count is a number from 1 to 1000000" -p "$fake" top $words
done
said 1 "top takes -d SECONDS and -n COUNT, not 'ext'" -p "$fake" top ext

# What stands still.
stands="top needs a vswd that runs: .*process $fake( \\(.*\\))? stands still, and has no rates"
halt "$fake"
said 1 "$stands" -p "$fake" top
[ ! -s "$dir/stdout" ] || fail "top of a stopped one shows: $(cat "$dir/stdout")"
said 1 "$stands" -p "$fake" -j top
jq -e '.error | startswith("top needs")' "$dir/stdout" >/dev/null || fail "JSON: $(cat "$dir/stdout")"
cores_of "$fake"
for core in "${cores[@]}"; do
	said 1 "$stands" -z "$core" top
done

# One that ends between two samples.
fake "$FAKE" clock
timeout 30 "$VSWSH" -p "$fake" top -d 0.2 -n 1000 >"$dir/out" 2>"$dir/err" &
shell=$!
until [ "$(grep -c '^PORTS$' "$dir/out")" -ge 2 ]; do
	kill -0 "$shell" || fail "top has ended: $(cat "$dir/err")"
	sleep 0.02
done
kill -KILL "$fake"
result=0
wait "$shell" || result=$?
[ "$result" = 1 ] || fail "without its process it gave $result"
without_note <"$dir/err" | grep -qx "vswsh: process $fake has ended" || fail "$(cat "$dir/err")"

# What is damaged is counted, and the rest is shown.
fake "$FAKE" damaged
result=0
timeout 30 "$VSWSH" -p "$fake" top -d 0.1 >"$dir/out" 2>/dev/null || result=$?
[ "$result" = 1 ] || fail "damage gave $result"
grep -qE '^    Damaged  *[1-9][0-9]*, the first: .*[a-z]' "$dir/out" || fail "damage: $(cat "$dir/out")"
grep -qE '^    ext:default  *Default ' "$dir/out" || fail "the rest: $(cat "$dir/out")"
