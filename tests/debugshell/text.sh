# shellcheck shell=bash
#
# Comparing what the shell prints with the text that it should be. Needs $VSWSH, $dir for files,
# and fail().

: "${VSWSH:?}" "${dir:?}"
expected=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Replaces addresses and GUIDs by <a1>, <a2>, <g1>, ... in order of appearance, so that the
# same address is the same word throughout; and the moment that a process was looked at.
normalize() {
	perl -pe '
		s/(0000[5-7][0-9a-f]{11}|fffffa80[0-9a-f]{8})/$a{$1} ||= "<a" . ++$na . ">"/ge;
		s/([0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})/$g{$1} ||= "<g" . ++$ng . ">"/ge;
		s/^(    As of  *).*/$1<now>/;'
}

# same FILE: compares stdin, normalized, with the expected text. UPDATE=FILE writes it anew.
same() {
	local got=$dir/got

	normalize >"$got"
	if [ "${UPDATE:-}" = "$1" ]; then
		cp "$got" "$expected/$1"
	fi
	diff -u "$expected/$1" "$got" || fail "the output is not that of $1"
}

# A build by a compiler that makes no type data says so each time.
without_note() {
	sed '/^vswsh: this vswd (version .*) carries no type data; /d'
}

# A target is what tells vswsh where to look: -p PID, or -z CORE.

# address TARGET... NAME: of the switch with this friendly name.
address() {
	"$VSWSH" "${@:1:$#-1}" vswitch 2>/dev/null |
		sed -n "s/^VSWITCH \([0-9a-f]*\) () ${*: -1}\$/\1/p"
}

# switches TARGET...: the list, then each switch of the project's model text.
switches() {
	"$VSWSH" "$@" vswitch
	for name in External Internal Private; do
		"$VSWSH" "$@" vswitch "$(address "$@" "$name Demo")"
	done
}
