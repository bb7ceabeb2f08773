#!/usr/bin/env bash
# Who may use the sockets: group and mode, by default and as configured, and what the one hears
# who may not.
source "$(dirname "$0")/lib.sh"

owner() { stat -c '%G %a' "$1"; }
groups_with() {
	local file=$T/group.$#
	grep -v '^vsw:' /etc/group >"$file"
	[[ $# == 0 ]] || echo "$1" >>"$file"
	mount --bind "$file" /etc/group
}

# Without a group vsw everything is root's.
groups_with
start
ctl switch add s private >/dev/null
ctl port add p switch s vhost p.sock server >/dev/null
equal "$(owner "$RUN/ctl.sock")" "root 660" "ctl.sock without a group vsw"
equal "$(owner "$RUN/p.sock")" "root 660" "a port's socket without a group vsw"

# Who may not connect hears whose it is, and what helps.
chmod 755 "$T" "$RUN"
if setpriv --reuid 65534 --regid 65534 --clear-groups "$vswctl" -r "$RUN" version 2>"$T/err"; then
	fail "anybody may command the switch"
fi
for word in "$RUN/ctl.sock" root 0660; do
	grep -q -- "$word" "$T/err" || fail "the error does not say $word: $(cat "$T/err")"
done
stop TERM

# The group vsw, once it exists.
rm -rf "$RUN"
groups_with "vsw:x:4242:"
start
equal "$(owner "$RUN")" "vsw 1775" "RUN_DIR"
equal "$(owner "$RUN/ctl.sock")" "vsw 660" "ctl.sock"
equal "$(owner "$RUN/p.sock")" "vsw 660" "a port's socket"
stop TERM

# Another group and mode.
rm -rf "$RUN"
start --socket-group daemon --socket-mode 0600
equal "$(owner "$RUN/ctl.sock")" "daemon 600" "ctl.sock as configured"
equal "$(owner "$RUN/p.sock")" "daemon 600" "a port's socket as configured"
stop TERM
if "$vswd" -r "$RUN" -s "$STATE" --no-huge --socket-group no-such-group </dev/null 2>"$T/err"; then
	fail "a group that does not exist is accepted"
fi
grep -q no-such-group "$T/err" || fail "the error does not name the group: $(cat "$T/err")"
finish
