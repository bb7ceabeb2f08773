#!/usr/bin/env bash
# What -j prints: of every command one line of JSON, with all that the text has. Of a healthy and
# of a damaged vswd made by hand, running, stopped, and of a core.
. "$(dirname "$0")/lib.sh"

# Commands without an argument, and with ones that need no look at the target.
plain=(help vswitch vport vnic proc fdb drops miniport mopen ring vnbl where vmq qosline extension
	lm lmi dt "help fdb" "help nothing" "vswitch ext" "vport ext:internal" "vport vm3" "vnic vm3" "proc 0"
	"proc proc0" "fdb ext" "fdb ext:internal" "drops ext" "drops vm3" "ring vm3" "vnbl 0"
	"vnbl -x" "where 0" "vmq 1" "lm *" "lmi vswd" "dt vport" "dt vport vm3" "dt -r vport vm3"
	"dt vport.obj vm3" "dt vp*" "dt nothing" "top -d 0.1 -n 1" "top -n nothing" "dump" "vport nothing"
	"vport a b" nothing 0000000000001234 "vport 0000000000001234")

# details TARGET...: the commands that show what the lists list.
details() {
	local rows='(.rows, .objects)[]'

	"$VSWSH" -j "$@" 2>/dev/null <<-'EOF' | jq -r "$rows | select(.address) | .address" | sort -u
		vswitch
		vport
		vnic
		proc
		fdb
		ring
		vnbl
		miniport
		mopen
	EOF
	for list in ring vnbl miniport mopen; do
		"$VSWSH" -j "$@" $list 2>/dev/null | jq -r ".rows[0].address // empty | \"$list \" + ."
	done
}

# compare NAME TARGET...: runs all commands both ways.
compare() {
	local at=$dir/$1 command commands n=0 status words
	shift
	mkdir "$at"
	mapfile -t commands < <(details "$@")
	((${#commands[@]} >= 10)) || fail "too few details: ${commands[*]}"
	for command in "${plain[@]}" "${commands[@]}" "dump $at/dump" "dump /nowhere/dump"; do
		n=$((n + 1))
		printf '%s' "$command" >"$at/$n.command"
		set -f
		read -ra words <<<"$command"
		set +f
		rm -f "$at/dump"
		status=0
		"$VSWSH" "$@" "${words[@]}" >"$at/text.$n.out" 2>"$at/text.$n.err" || status=$?
		printf '%s' $status >"$at/text.$n.status"
		rm -f "$at/dump"
		status=0
		"$VSWSH" -j "$@" "${words[@]}" >"$at/json.$n.out" 2>"$at/json.$n.err" || status=$?
		printf '%s' $status >"$at/json.$n.status"
	done
	jq -e . "$at"/json.*.out >/dev/null || fail "jq does not take what is printed of $*"
	python3 "$SOURCE/tests/debugshell/json_check.py" "$at" || fail "the text and JSON of $*"
}

for kind in healthy damaged; do
	fake "$FAKE" $kind
	compare "$kind.live" -p "$fake"
	halt "$fake"
	compare "$kind.stopped" -p "$fake"
	cores_of "$fake"
	compare "$kind.core" -z "${cores[0]}"
done

fake "$FAKE" healthy
for command in $("$VSWSH" -j -p "$fake" help 2>/dev/null | jq -r '.rows[].name'); do
	[[ " ${plain[*]} " == *" $command "* ]] || fail "$command is not tested"
done

# A line is a document, whatever is wrong with it.
cat >"$dir/lines" <<EOF
vport vm3

  help
vport "vm3
vport $(printf 'x%.0s' {1..2000})
$(printf '%s ' {1..100})
nothing
quit
help
EOF
! "$VSWSH" -p "$fake" -j <"$dir/lines" >"$dir/documents" 2>/dev/null || fail "an error has status 0"
[ "$(wc -l <"$dir/documents")" = 6 ] || fail "$(wc -l <"$dir/documents") documents"
[ "$(jq -c 'has("error")' "$dir/documents" | tr '\n' ' ')" = "false false true true true true " ] ||
	fail "errors: $(jq -c .error "$dir/documents")"
[ "$(jq -r .objects[0].name "$dir/documents" | head -1)" = vm3 ] || fail "$(head -1 "$dir/documents")"

# Where it cannot be written to the end, nobody takes it for whole.
for json in "" -j; do
	for command in help vport "fdb ext"; do
		# shellcheck disable=SC2086 # words, or none
		! "$VSWSH" $json -p "$fake" $command >/dev/full 2>/dev/null || fail "$command $json on a full disk"
	done
done

# The order of options is free; what is wrong with them is no document.
cmp <("$VSWSH" -jp "$fake" vport 2>/dev/null) <("$VSWSH" -p "$fake" -j vport 2>/dev/null) || fail "-jp"
for words in "-j -p 0 vport" "-j -z /nowhere vport" "-j -y x vport" "-j -r /nowhere vport" "-j -Q"; do
	# shellcheck disable=SC2086 # words
	! "$VSWSH" $words >"$dir/stdout" 2>"$dir/stderr" || fail "$words is taken"
	[ ! -s "$dir/stdout" ] || fail "$words: $(cat "$dir/stdout")"
	[ -s "$dir/stderr" ] || fail "$words says nothing"
done

# What the manual proposes for scripts says something.
fake "$FAKE" healthy
sed -n '/^\.Sh JSON/,/^\.Sh RATES/{s/\\(aq/'"'"'/g; s/^# vswsh //p}' "$SOURCE/debugshell/man/vswsh.1" >"$dir/proposed"
[ "$(wc -l <"$dir/proposed")" -ge 6 ] || fail "the manual proposes $(cat "$dir/proposed")"
while read -r line; do
	said=$(bash -c "set -o pipefail; '$VSWSH' -p $fake $line" 2>/dev/null) || fail "$line fails"
	[ -n "$said" ] || fail "$line says nothing"
done <"$dir/proposed"

# A row comes when it is read: the memory it takes is not that of the table.
fake "$FAKE" 1000000
"$VSWSH" -j -p "$fake" fdb ext 2>/dev/null | jq '.objects[0].stations | length' >"$dir/length"
[ "$(<"$dir/length")" -ge 1000000 ] || fail "$(<"$dir/length") stations"
