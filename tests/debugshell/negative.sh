#!/usr/bin/env bash
# What cannot be shown: one clear sentence on stderr each, nothing on stdout.
. "$(dirname "$0")/lib.sh"

# refused RESULT 'PATTERN' COMMAND...
refused() {
	local want=$1 pattern=$2 result=0
	shift 2
	"$@" >"$dir/stdout" 2>"$dir/said" </dev/null || result=$?
	without_note <"$dir/said" >"$dir/stderr"
	[ "$result" = "$want" ] || fail "$* gave $result: $(cat "$dir/stderr")"
	[ ! -s "$dir/stdout" ] || fail "$* wrote to stdout"
	[ "$(wc -l <"$dir/stderr")" = 1 ] || fail "$* did not say one sentence"
	grep -qE "^vswsh: $pattern\$" "$dir/stderr" ||
		fail "$* said '$(cat "$dir/stderr")', not '$pattern'"
}

run=$dir/run
mkdir "$run"
fake "$FAKE" healthy

# Finding it.
refused 1 "no vswd runs in $run \\(there is no vswd.pid\\); .*-r RUN_DIR or -p PID" \
	"$VSWSH" -r "$run" vswitch
for text in "" "12x" "-1" "0" "99999999999999"; do
	echo "$text" >"$run/vswd.pid"
	refused 1 "$run/vswd.pid holds no process id" "$VSWSH" -r "$run" vswitch
	refused 2 "'$text' is not a process id" "$VSWSH" -p "$text" vswitch
done
echo "$fake" >"$run/vswd.pid"
"$VSWSH" -r "$run" vswitch >/dev/null 2>&1 || fail "not found by its pid file"
"$VSWSH" -r "$run" -p "$fake" vswitch >/dev/null 2>&1 || fail "not found by its pid"

# Something else.
sleep 1000 &
other=$!
pids+=("$other")
disown "$other"
until [ "$(cat "/proc/$other/comm")" = sleep ]; do
	:
done
refused 1 "process $other is not vswd: it is 'sleep'" "$VSWSH" -p "$other" vswitch
echo "$other" >"$run/vswd.pid"
refused 1 "no vswd runs in $run: by its vswd.pid, process $other is not vswd: it is 'sleep'" \
	"$VSWSH" -r "$run" vswitch
kill "$other"
gone "$other"
refused 1 "there is no process $other" "$VSWSH" -p "$other" vswitch
refused 1 "no vswd runs in $run: by its vswd.pid, there is no process $other" \
	"$VSWSH" -r "$run" vswitch

# No permission.
cp "$VSWSH" "$dir/vswsh"
chmod 755 "$dir/vswsh"
refused 1 "not allowed to read process $fake, which belongs to uid 0 \\(we are uid 65534\\): run vswsh as root" \
	setpriv --reuid 65534 --clear-groups "$dir/vswsh" -p "$fake" vswitch

# Wrong words.
refused 2 "-z looks at a core, -p at a process; which of the two\\?" "$VSWSH" -z core -p "$fake" vswitch
refused 2 "-z looks at a core, -r at a process; which of the two\\?" "$VSWSH" -r "$run" -z core vswitch
refused 2 "-y names the program of a core; name the core with -z" "$VSWSH" -y "$FAKE" -p "$fake" vswitch
refused 1 "-x shows the bytes of one frame: vnbl -x VNBL" "$VSWSH" -p "$fake" vnbl -x vm3
refused 1 "-x shows the bytes of one frame: vnbl -x VNBL" "$VSWSH" -p "$fake" vnbl -x 0
refused 1 "there is no command 'frob'; help lists them" "$VSWSH" -p "$fake" frob
refused 1 "there is no vswitch 'frob'; vswitch without argument lists them" \
	"$VSWSH" -p "$fake" vswitch frob
refused 1 "there is no vport 'frob'; vport without argument lists them" \
	"$VSWSH" -p "$fake" vport frob
refused 1 "vport takes one argument at most: .*" "$VSWSH" -p "$fake" vport a b
refused 1 "0000000000000010 cannot be read: nothing is mapped there" \
	"$VSWSH" -p "$fake" vport 0000000000000010
ext=$(address -p "$fake" "External Demo")
refused 1 "$ext is not a vport but a vswitch" "$VSWSH" -p "$fake" vport "$ext"
inside=$(printf '%016x' $((16#$ext + 16)))
refused 1 "$inside is no object: its magic is [0-9a-f]{8}" "$VSWSH" -p "$fake" "$inside"

looks() {
	"$VSWSH" -p "$fake" vswitch 2>&1 | without_note
}

# A program without its names, deleted, or replaced while it runs is no obstacle.
cp "$FAKE" "$dir/vswd"
strip "$dir/vswd"
fake "$dir/vswd" healthy
want=$(looks)
[ "$(wc -l <<<"$want")" = 5 ] || fail "stripped: $want"
rm "$dir/vswd"
[ "$(looks)" = "$want" ] || fail "the program was deleted"
cp "$(command -v sleep)" "$dir/vswd"
[ "$(looks)" = "$want" ] || fail "the program was replaced"

# It ends while somebody looks at it.
mkfifo "$dir/typed"
"$VSWSH" -p "$fake" <"$dir/typed" >"$dir/stdout" 2>"$dir/stderr" &
session=$!
exec 3>"$dir/typed"
echo vswitch >&3
for _ in $(seq 100); do
	grep -q Private "$dir/stdout" && break
	sleep 0.05
done
kill -KILL "$fake"
gone "$fake"
echo vswitch >&3
exec 3>&-
wait "$session" && fail "the end was not noticed"
grep -qE "^vswsh: process $fake has ended\$" "$dir/stderr" || fail "$(cat "$dir/stderr")"
