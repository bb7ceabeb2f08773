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
	"$1" "$2" >"$fifo" &
	fake=$!
	pids+=("$fake")
	disown "$fake" # or bash tells of its end
	read -r _ <"$fifo" || fail "$1 does not start"
	rm -f "$fifo"
}

# gone PID: waits until the process is no more.
gone() {
	for _ in $(seq 200); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.02
	done
	fail "process $1 does not end"
}
