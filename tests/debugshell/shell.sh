#!/usr/bin/env bash
# The shell itself: lines as they come from a file and from a terminal, pipes, results.
. "$(dirname "$0")/lib.sh"

# gives RESULT 'STDOUT' 'STDERR' [OPTION...]: of the lines on stdin; the texts are patterns of all.
gives() {
	local want=$1 out=$2 err=$3 result=0
	shift 3
	timeout 60 "$VSWSH" -p "$fake" "$@" >"$dir/stdout" 2>"$dir/said" || result=$?
	without_note <"$dir/said" >"$dir/stderr"
	[ "$result" = "$want" ] || fail "the result is $result, not $want: $(cat "$dir/stdout" "$dir/stderr")"
	[[ $(<"$dir/stdout") =~ ^$out$ ]] || fail "stdout is '$(cat "$dir/stdout")', not '$out'"
	[[ $(<"$dir/stderr") =~ ^$err$ ]] || fail "stderr is '$(cat "$dir/stderr")', not '$err'"
}

fake "$FAKE" healthy
vm3='VPORT  [0-9a-f]{16}  0x0003  Synthetic Y [^'$'\n'']* vm3'

# Results: of the last line.
gives 0 "" "" </dev/null
gives 0 "" "" <<<""
gives 0 "" "" <<<"   "
gives 1 "" "vswsh: there is no command 'frob'; help lists them" <<<frob
gives 0 ".*vm3.*" "vswsh: there is no command 'frob'; .*" <<<$'frob\nvport'
gives 1 ".*vm3.*" "vswsh: there is no command 'frob'; .*" <<<$'vport\nfrob'
gives 1 "" "vswsh: there is no command 'frob'; .*" <<<$'frob\n\n  \n'
for word in q quit exit " quit "; do
	gives 1 "" "vswsh: there is no command 'frob'; .*" <<<"frob"$'\n'"$word"$'\n'"vport"
done
gives 1 "" "vswsh: a quote does not end" <<<'vport "ext'
gives 1 "" "vswsh: a line has at most 16 words" <<<"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"
gives 2 "" ".*usage: .*" -Q </dev/null
gives 1 "" "vswsh: the commands cannot be read: Is a directory" </

# Lines that are none, without an end, and as other systems end them.
gives 1 "" "vswsh: a line of text has no byte of zero" < <(printf 'vport\0vm3\n')
gives 0 ".*Name  *vm3"$'\n'".*" "vswsh: a line of text .*" < <(printf '\0\nvport vm3\n')
gives 0 ".*Name  *vm3"$'\n'".*" "" < <(printf 'vport vm3')
gives 0 ".*Name  *vm3"$'\n'".*" "" < <(printf 'vport vm3\r\n\r\n')
gives 0 ".*Name  *vm3"$'\n'".*" "" < <(printf '%-1022s\n' 'vport vm3')
too_long="vswsh: a line has at most 1022 bytes"
gives 1 "" "$too_long" < <(printf '%-1023s\n' 'vport vm3')
gives 1 "" "$too_long" < <(printf '%-1023s' 'vport vm3')
gives 0 ".*Name  *vm3"$'\n'".*" "$too_long" < <(printf '%-5000s\nvport vm3\n' 'vport')

# What cannot be written is not passed over in silence.
result=0
"$VSWSH" -p "$fake" vport >/dev/full 2>"$dir/said" || result=$?
[ "$result" = 1 ] || fail "a full disk gives $result"
grep -qx 'vswsh: not all of the output could be written' "$dir/said" || fail "$(cat "$dir/said")"

# Pipes: the first | that is not in quotes; all behind it is for sh.
gives 0 "$vm3" "" <<<"vport | grep vm3"
gives 0 "$vm3" "" <<<"vport|grep vm3"
gives 0 3 "" <<<"vnic | sort | head -3 | wc -l"
gives 0 "a b" "" <<<"vport | cat >/dev/null; echo 'a b' | cat"
gives 1 "" "vswsh: there is no vport 'a \| b'; .*" <<<'vport "a | b"'
gives 1 "" "vswsh: there is no vport 'a \| b'; .*" <<<'vport "a | b" | cat'
gives 1 "" "vswsh: there is no program behind the \|" <<<"vport |"
gives 1 "" "vswsh: there is no program behind the \|" <<<"vport | "
gives 1 "" "vswsh: there is no command before the \|" <<<" | cat"
gives 1 "" "vswsh: there is no command 'vport \| cat'; .*" <<<'"vport | cat"'

# The result of a pipe: that of the program, else that of the command.
gives 1 "" "" <<<"vport | grep nothing"
gives 7 "" "" <<<"vport | exit 7"
gives 7 "" "vswsh: there is no vport 'frob'; .*" <<<"vport frob | cat; exit 7"
gives 1 "" "vswsh: there is no vport 'frob'; .*" <<<"vport frob | cat"
gives 127 "" ".*frobnicate.*not found" <<<"vport | frobnicate"
# shellcheck disable=SC2016 # it is sh's
gives 137 "" "" <<<'vport | kill -9 $$'
# One that was interrupted is the last.
# shellcheck disable=SC2016
gives 130 "" "" <<<$'vport | kill -INT $$\nvport'
gives 0 "$vm3" "" <<<$'vport | false\nvport | grep vm3'

# What the command says is not lost, and what it wrote before is not written twice.
gives 0 "here" "vswsh: there is no vport 'frob'; .*" <<<$'vport frob\nvport | cat >/dev/null; echo here'
gives 0 "0 0" "" <<<"vport | cat >/dev/null; echo \$(echo 0 0)"
[ "$(printf 'vport\nvport | cat\nvport\n' | "$VSWSH" -p "$fake" 2>/dev/null | grep -c vm3)" = 3 ] ||
	fail "the output of three lines is not there three times"
gives 0 '"vm3"' "" -j <<<"vport vm3 | grep -o '\"vm3\"' | head -1"
gives 1 '\{.*"error": *"there is no program behind the \|".*\}' "vswsh: there is no program .*" -j <<<"vport |"
# The program has the pipe alone: no other line is read by it.
gives 0 ".*$vm3.*here" "" <<<$'vport | cat\nvmq | cat >/dev/null; echo here'

# Nothing is left behind: no process, no descriptor.
mkfifo "$dir/typed"
"$VSWSH" -p "$fake" <"$dir/typed" >"$dir/stdout" 2>"$dir/stderr" &
session=$!
pids+=("$session")
exec 3>"$dir/typed"
# answers WORD: waits for it on stdout.
answers() {
	for _ in $(seq 600); do
		! grep -qx "$1" "$dir/stdout" || return 0
		sleep 0.05
	done
	fail "no '$1' in: $(cat "$dir/stdout" "$dir/stderr")"
}
descriptors() { find "/proc/$session/fd" -type l | wc -l; }
echo "vport | cat >/dev/null; echo begun" >&3
answers begun
before=$(descriptors)
for _ in $(seq 20); do
	echo "vport | cat >/dev/null" >&3
	echo "vport | true" >&3
	echo "vport | kill -9 \$\$" >&3
done
echo "vport | cat >/dev/null; echo finished" >&3
answers finished
[ "$(descriptors)" = "$before" ] || fail "descriptors are left: $(ls -l "/proc/$session/fd")"
# The last program ended before the shell took note of it.
for _ in $(seq 100); do
	[ -n "$(pgrep -P "$session")" ] || break
	sleep 0.05
done
[ -z "$(pgrep -P "$session")" ] || fail "processes are left: $(ps -o pid,stat,args --ppid "$session")"
exec 3>&-
wait "$session" || fail "the session ended with $?"

# Who reads the first row of a million only has it at once, and nothing is said of the rest.
fake "$FAKE" 1000000
start=$SECONDS
gives 0 " *MAC .*" "" <<<"fdb ext | grep -m 1 MAC"
gives 0 "1" "" <<<$'fdb ext | true\nfdb ext | head -1 | wc -l'
gives 0 "1000000" "" <<<"fdb ext | grep -c 'Learned  0 '"
[ $((SECONDS - start)) -le 30 ] || fail "a million stations took $((SECONDS - start)) s"

# At a terminal.
command -v python3 >/dev/null || exit 77
terminal() {
	fake "$FAKE" "$1"
	ext=$(address -p "$fake" "External Demo" || :)
	(cd "$dir" && timeout 300 python3 "$SOURCE/tests/debugshell/terminal.py" "$VSWSH" "$1" "$fake" "$ext") ||
		fail "at a terminal, $1"
}
terminal healthy
terminal damaged
terminal 1000000
