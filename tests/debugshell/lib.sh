# shellcheck shell=bash
#
# What the tests share that look at a vswd made by hand. The programs are taken from $VSW_BUILD,
# or from ./build. What a test starts ends with it.

set -euo pipefail

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${VSW_BUILD:-$SOURCE/build}
VSWSH=$BUILD/debugshell/vswsh
FAKE=$BUILD/tests/debugshell/fake_vswd
export TZ=UTC LC_ALL=C

if [ "$(id -u)" != 0 ]; then
	echo "needs root, to read another process"
	exit 77
fi

dir=$(mktemp -d)
chmod 755 "$dir"
pids=()
source "$SOURCE/tests/debugshell/text.sh"

cleanup() {
	local pid
	for pid in "${pids[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap cleanup EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# fake PROGRAM ARG: starts a fake vswd and waits until it is ready; its pid is in $fake.
fake() {
	local fifo=$dir/ready

	mkfifo "$fifo"
	(
		cd "$dir"
		ulimit -c unlimited 2>/dev/null || :
		exec "$1" "$2"
	) >"$fifo" &
	fake=$!
	pids+=("$fake")
	disown "$fake" # or bash tells of its end
	read -r _ <"$fifo" || fail "$1 does not start"
	rm -f "$fifo"
}

# halt PID: stops it, and waits until it stands still.
halt() {
	kill -STOP "$1"
	until [[ $(<"/proc/$1/stat") == *") T "* ]]; do
		sleep 0.01
	done
}

# The kernel writes cores where we find them: not into a pipe, not into one place for all.
kernel_cores() {
	[[ $(</proc/sys/kernel/core_pattern) != [\|/]* && $(ulimit -Hc) == unlimited ]]
}

# core_by_debugger PID FILE: leaves the process as it is.
core_by_debugger() {
	gcore -o "$dir/gcore" "$1" >"$dir/gcore.log" 2>&1 || fail "gcore: $(cat "$dir/gcore.log")"
	mv "$dir/gcore.$1" "$2"
}

# core_by_kernel PID FILE [SIGNAL]: of a fake vswd, which ends.
core_by_kernel() {
	rm -f "$dir"/core "$dir"/core.*
	kill "-${3:-SEGV}" "$1"
	kill -CONT "$1" 2>/dev/null || :
	gone "$1"
	mv "$(find "$dir" -maxdepth 1 -name 'core*' | head -n 1)" "$2" || fail "there is no core"
}

# cores_of PID: ends a fake vswd; its cores are in $cores.
cores_of() {
	cores=()
	if command -v gcore >/dev/null; then
		core_by_debugger "$1" "$dir/by_debugger.$1"
		cores+=("$dir/by_debugger.$1")
	fi
	if kernel_cores; then
		core_by_kernel "$1" "$dir/by_kernel.$1"
		cores+=("$dir/by_kernel.$1")
	fi
	if ((${#cores[@]} == 0)); then
		echo "no cores here: core_pattern is '$(</proc/sys/kernel/core_pattern)', and gdb is missing"
		exit 77
	fi
}

# without_signal: only a core that a signal has made tells which one, and which thread it hit.
without_signal() { sed -E '/^    Ended by /d; s/(, )?hit by signal [0-9]+$//'; }

# json TARGET... WORD...: the JSON of a command, which ends as its text does, on one line, and names
# the same addresses. It is in $dir/json.
json() {
	local text=0 result=0

	"$VSWSH" "$@" >"$dir/text" 2>/dev/null || text=$?
	"$VSWSH" -j "$@" >"$dir/json" 2>/dev/null || result=$?
	((result == text)) || fail "-j $* ends with $result, not with $text"
	(($(wc -l <"$dir/json") == 1)) || fail "-j $* is not one line: $(cat "$dir/json")"
	jq -e 'type == "object"' "$dir/json" >/dev/null || fail "-j $* is no JSON: $(cat "$dir/json")"
	diff <(addresses_in "$dir/text") <(jq -c 'del(.command, .error)' "$dir/json" | addresses_in -) ||
		fail "-j $* names other addresses"
}

addresses_in() { grep -owE '[0-9a-f]{16}' "$1" | grep -vxE '0+' | sort -u || :; }

# is FILTER VALUE: what jq finds in the last JSON.
is() {
	[ "$(jq -r "$1" "$dir/json")" = "$2" ] || fail "$1 is not $2 but $(jq -c "$1" "$dir/json")"
}

# gone PID: waits until the process is no more.
gone() {
	for _ in $(seq 200); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.02
	done
	fail "process $1 does not end"
}
