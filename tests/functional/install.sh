#!/usr/bin/env bash
# meson install puts everything in place, and what it puts there is in order.
source "$(dirname "$0")/lib.sh"

D=$T/dest
DESTDIR=$D meson install -C "$build" --no-rebuild --quiet >"$T/install.log" 2>&1 ||
	fail "meson install: $(tail "$T/install.log")"
prefix=$(meson introspect --buildoptions "$build" | jq -r '.[] | select(.name == "prefix") | .value')
P=$D$prefix

for file in sbin/vswd bin/vswctl bin/vswsh bin/vswbench share/man/man8/vswd.8 share/man/man8/vswctl.8 \
	share/man/man1/{vswsh,vswbench}.1 share/bash-completion/completions/{vswctl,vswd,vswsh,vswbench} \
	lib/systemd/system/vswd.service lib/sysusers.d/vsw.conf lib/tmpfiles.d/vsw.conf; do
	[[ -s $P/$file || -s $P/$file.gz ]] || fail "$prefix/$file is not installed"
done
for program in sbin/vswd bin/vswctl bin/vswsh bin/vswbench; do
	[[ -x $P/$program ]] || fail "$program cannot be run"
	"$P/$program" --help >"$T/out" 2>&1 || "$P/$program" -h >"$T/out" 2>&1 || fail "$program -h"
	grep -qi usage "$T/out" || fail "$program has no usage text"
done
! readelf -d "$P"/sbin/* "$P"/bin/* | grep -E 'R(UN)?PATH' || fail "programs have a run path"

# Installed, they work together.
RUN=$T/installed
"$P/sbin/vswd" -r "$RUN" -s "$STATE" --no-huge >"$T/vswd.log" 2>&1 &
pid=$!
vswctl=$P/bin/vswctl
until_true 30 answers || fail "the installed vswd does not start"
ctl switch add lab private >/dev/null
"$P/bin/vswsh" -r "$RUN" vswitch | grep -q lab || fail "the installed vswsh sees no switch"

# The manual: in order, and it knows each option and each command.
for page in "$P"/share/man/man*/vsw*; do
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "$page" 2>"$T/out" >&2 || fail "$page: $(cat "$T/out")"
	fi
	LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l "$page" >"$page.txt" 2>"$T/out" ||
		fail "man $page"
	[[ ! -s $T/out ]] || fail "man $page: $(cat "$T/out")"
done
# words FILE WORD...: the page has each word.
words() {
	local page word
	page=$(col -b <"$1" | tr -s ' \n' ' ')
	shift
	for word in "$@"; do
		[[ $page == *"$word"* ]] || fail "the manual does not mention '$word'"
	done
}
mapfile -t options < <("$P/sbin/vswd" --help 2>&1 | grep -oE -- '(^|[ [])--?[a-z-]+' | tr -d ' [' |
	sort -u)
((${#options[@]} >= 7)) || fail "vswd --help shows only: ${options[*]}"
words "$P/share/man/man8/vswd.8.txt" "${options[@]}"
mapfile -t commands < <(ctl -j help | jq -r '.commands[].command')
((${#commands[@]} >= 12)) || fail "vswctl help shows only: ${commands[*]}"
mapfile -t keys < <(ctl help switch add | cat - <(ctl help switch set) <(ctl help port add) \
	<(ctl help port set) | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | sort -u)
((${#keys[@]} >= 14)) || fail "vswctl help has only the keys: ${keys[*]}"
words "$P/share/man/man8/vswctl.8.txt" "${commands[@]}" "${keys[@]}"
mapfile -t commands < <("$P/bin/vswsh" -r "$RUN" help | sed -n 's/^  !\([a-z.]*\) .*/\1/p')
((${#commands[@]} >= 7)) || fail "vswsh help shows only: ${commands[*]}"
words "$P/share/man/man1/vswsh.1.txt" "${commands[@]#*.}"

# Completion: it loads, offers verbs, and names of what is there.
complete_words() { # WORD...: what is offered for the last word
	PATH=$P/bin:$PATH bash -c '
		source "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		"_$1"
		echo "${COMPREPLY[*]}"' _ "$P/share/bash-completion/completions/vswctl" "$@"
}
equal "$(complete_words vswctl po)" port "completion of 'po'"
equal "$(complete_words vswctl switch '')" "add set remove" "completion of verbs"
equal "$(complete_words vswctl -r "$RUN" switch remove '')" lab "completion of a switch's name"

equal "$(complete_words vswbench thr)" throughput "completion of a test's name"
equal "$(complete_words vswbench soak --inter)" --interval "completion of an option"

# systemd takes the unit and the other two.
if command -v systemd-analyze >/dev/null; then
	unit=$T/vswd.service
	sed "s,^ExecStart=,&$D," "$P/lib/systemd/system/vswd.service" >"$unit"
	systemd-analyze verify --man=no --recursive-errors=no "$unit" >"$T/out" 2>&1 ||
		fail "systemd-analyze: $(cat "$T/out")"
	! grep -q vswd "$T/out" || fail "systemd-analyze: $(cat "$T/out")"
fi
for line in Type=notify Restart=on-failure LimitCORE=infinity LimitMEMLOCK=infinity; do
	grep -qx "$line" "$P/lib/systemd/system/vswd.service" || fail "the unit lacks $line"
done
if command -v systemd-sysusers >/dev/null; then
	mkdir -p "$D/etc"
	systemd-sysusers --root="$D" "$P/lib/sysusers.d/vsw.conf" >"$T/out" 2>&1 ||
		fail "sysusers: $(cat "$T/out")"
	grep -q '^vsw:' "$D/etc/group" || fail "sysusers made no group"
fi
if command -v systemd-tmpfiles >/dev/null; then
	systemd-tmpfiles --create --root="$D" "$P/lib/tmpfiles.d/vsw.conf" >"$T/out" 2>&1 ||
		fail "tmpfiles: $(cat "$T/out")"
	[[ -d $D/run/vsw ]] || fail "tmpfiles made no /run/vsw"
fi

# What READY=1 is sent to when systemd starts it.
stop TERM
socat -u "UNIX-RECV:$T/notify" "CREATE:$T/notified" &
until_true 5 test -S "$T/notify" || fail "no notify socket"
NOTIFY_SOCKET=$T/notify "$P/sbin/vswd" -r "$RUN" -s "$STATE" --no-huge \
	>>"$T/vswd.log" 2>&1 &
pid=$!
ready() { grep -q READY=1 "$T/notified" 2>/dev/null; }
until_true 10 ready || fail "vswd does not tell systemd that it is ready"
ctl show switches >/dev/null || fail "vswd said that it was ready too early"
finish
