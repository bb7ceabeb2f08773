#!/usr/bin/env bash
# Words that must not stand in some files: what procs run waits for nothing and allocates
# nothing, unfinished work is not marked but finished, and no file knows this machine.
source "$(dirname "$0")/lib.sh"

# Functions in the files of the fast path that procs do not call for frames: making, unmaking,
# starting, stopping.
control='(create|destroy|init|fini|attach|detach|free|start|start_all|stop_all|add_rxq|remove_rxq'
control+='|swap_conf|check_conf|eventfd)$'

# Prints FILE:LINE:TEXT of the code of the functions that procs run, without comments.
code() {
	awk -v control="$control" '
		/^[a-z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
		/^\}/ { name = "" }
		name ~ control { next }
		{ line = $0; sub(/\/\/.*/, "", line) }
		line ~ /^[ \t]*\/?\*/ { next }
		line ~ /[^ \t]/ { print FILENAME ":" FNR ":" line }' "$@"
}

existing() {
	local file
	for file in "$@"; do
		[[ ! -e $file ]] || echo "$file"
	done
}

# Files whose functions a proc calls for frames.
mapfile -t fast < <(existing switch/{proc,ingress,egress,fdb,vlan,policy,storm,mirror,parse,guard,conntrack}.c \
	switch/{acl,acl_key,acl_session}.c \
	ports/{vring,vring_rx,vring_tx}.c ports/{copy,vring}.h)
words='usleep|sleep|pthread_mutex_lock|rte_spinlock_lock|syslog|f?printf|snprintf|log_[a-z]+'
words+='|malloc|calloc|realloc|free|rte_malloc|rte_zmalloc|rte_calloc|rte_free'

complain "what procs run neither waits, formats nor allocates" < <(
	[[ -z ${fast[*]} ]] || code "${fast[@]}" | grep -E "\\b($words)[[:space:]]*\(" || :)
complain "a proc calls no function of librte_vhost" < <(
	[[ -z ${fast[*]} ]] || code "${fast[@]}" | grep -E 'rte_vhost_[a-z_]+[[:space:]]*\(' || :)

# What commands print is text or JSON: print.h decides. The rest is said to who types.
mapfile -t commands < <(find debugshell -name '*.c' | grep -vE '/(print.*|main|shell|edit)\.c$' || :)
complain "commands print through print.h only" < <(
	[[ -z ${commands[*]} ]] || code "${commands[@]}" |
		grep -E '\b(v?printf|puts|putchar)[[:space:]]*\(|fprintf\(stdout|, stdout\)' || :)

everything() {
	sources '*'
	existing lab README.md meson.build .ci/run
}

# The words are put together here, so that this file does not find itself.
complain "the stable API of DPDK only" < <(
	everything | xargs grep -nHI 'ALLOW_EXPERIMENTAL''_API' || :)
complain "unfinished work is not marked but finished" < <(
	everything | xargs grep -nHIwE 'TO''DO|FIX''ME|XX''X|HA''CK' || :)
complain "no path of the machine that it was written on" < <(
	everything | xargs grep -nHIE '/wo''rk/|/tmp/bui''ld-|/ro''ot/' || :)
finish
