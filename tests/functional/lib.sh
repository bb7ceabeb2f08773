# shellcheck shell=bash
#
# For the functional tests. Sourcing this file moves the test into a world of its own: network,
# mount and process namespaces, an empty /run, no IPv6 that sends frames by itself. Whatever a
# test leaves there is gone with it, and what it leaves although it should not have, finish()
# finds. A test prints nothing when all is well.
#
# The programs are taken from $VSW_BUILD, or from ./build.

if [[ -z ${VSW_OWN_WORLD:-} ]]; then
	((EUID == 0)) || { echo "this test makes network devices and needs root"; exit 77; }
	export VSW_OWN_WORLD=1
	exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
		bash "$0" "$@"
fi

set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${VSW_BUILD:-$tests/../build}
vswd=$build/switch/vswd
vswctl=$build/switch/vswctl
vswsh=$build/debugshell/vswsh
for program in "$vswd" "$vswctl" "$vswsh"; do
	[[ -x $program ]] || { echo "$program is not built"; exit 1; }
done

mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
mkdir -p /run/netns /run/t
T=/run/t
RUN=$T/run
STATE=$T/state
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up

# --- saying what went wrong ----------------------------------------------------------------

fail() {
	local i
	exec >&2
	echo "FAILED: $*"
	for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
		echo "    at ${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
	done
	exit 1
}

on_exit() {
	local status=$1
	if ((status != 0 && status != 77)); then
		"$vswctl" -r "$RUN" show ports 2>/dev/null || :
		"$vswctl" -r "$RUN" show drops 2>/dev/null || :
		for log in "$T"/*.log; do
			[[ ! -s $log ]] || { echo "--- $log"; tail -n 40 "$log"; }
		done
		backtraces
	fi
}
trap 'on_exit $?' EXIT
trap 'fail "a command ended with $?: $BASH_COMMAND"' ERR
set -E

backtraces() {
	local core
	for core in "$STATE"/cores/* "$T"/core*; do
		[[ -s $core ]] || continue
		echo "--- $core"
		gdb -batch -ex 'thread apply all bt 12' "$vswd" "$core" 2>/dev/null | tail -n 60 || :
	done
}

# --- the switch ----------------------------------------------------------------------------

ctl() { "$vswctl" -r "$RUN" "$@"; }

# Starts a vswd and waits until it answers; further options are passed on.
start() {
	"$vswd" -r "$RUN" -s "$STATE" --no-huge "$@" </dev/null >>"$T/vswd.log" 2>&1 &
	pid=$!
	until_true 30 answers || fail "vswd does not answer"
}

answers() {
	kill -0 "$pid" 2>/dev/null || fail "vswd has ended while it should start"
	ctl show switches >/dev/null 2>&1
}

# stop [SIGNAL]: ends the vswd and says how it ended in 'ended'.
stop() {
	ended=0
	kill "-${1:-TERM}" "$pid"
	wait "$pid" 2>/dev/null || ended=$?
	pid=
}

# A clean end of a test: the switch stops as it should and leaves what it should.
finish() {
	if [[ -n ${pid:-} ]]; then
		stop TERM
		((ended == 0)) || fail "vswd ended with $ended"
		[[ ! -e $RUN/vswd.pid && ! -e $RUN/ctl.sock ]] || fail "vswd left files: $(ls "$RUN")"
	fi
	! ls "$STATE"/cores/* >/dev/null 2>&1 || fail "there is a core"
	exit 0
}

# until_true SECONDS COMMAND...: polls for a state; never sleeps for luck.
until_true() {
	local limit=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		((${EPOCHREALTIME/./} < limit)) || return 1
		sleep 0.02
	done
}

# counter PORT FIELD: rx_frames, tx_frames and so on, as `show ports` names them.
counter() { ctl -j show ports "$1" | jq -r --arg field "$2" '.ports[0][$field]'; }

# drops PORT in|out REASON: how many frames were dropped.
drops() {
	ctl -j show ports "$1" | jq -r --arg dir "drops_$2" --arg why "$3" '.ports[0][$dir][$why] // 0'
}

# station MAC SWITCH: the port that the station is behind, or nothing.
station() {
	ctl -j show fdb "$2" | jq -r --arg mac "$1" '.fdb[] | select(.mac == $mac) | .port'
}

equal() { [[ $1 == "$2" ]] || fail "$3: '$1', expected '$2'"; }

# Becomes equal in time: settles EXPECTED WHAT COMMAND...
settles() {
	local expected=$1 what=$2 got=
	shift 2
	# shellcheck disable=SC2317 # called by until_true
	matches() { got=$("$@") && [[ $got == "$expected" ]]; }
	until_true 5 matches "$@" || fail "$what: '$got', expected '$expected'"
}

# --- machines: network namespaces ----------------------------------------------------------

in_ns() {
	local name=$1
	shift
	ip netns exec "$name" "$@"
}

make_ns() {
	local name
	for name in "$@"; do
		ip netns add "$name"
		ip netns exec "$name" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
			echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
		ip -n "$name" link set lo up
	done
}

# machine NAME SWITCH ADDRESS/LEN: a namespace whose eth0 is a TAP port NAME of the switch.
machine() {
	make_ns "$1"
	ctl port add "$1" switch "$2" tap "t-$1" >/dev/null
	plug "$1" "$3"
}

# plug NAME ADDRESS/LEN: moves the port's TAP into the namespace.
plug() {
	ip link set "t-$1" netns "$1" name eth0
	ip -n "$1" addr add "$2" dev eth0
	ip -n "$1" link set eth0 up
}

# wire IFNAME ADDRESS/LEN: a veth pair; one end is IFNAME, for the switch, the other is eth0 of
# the namespace 'wire'.
wire() {
	make_ns wire
	ip link add "$1" type veth peer name eth0 netns wire
	ip -n wire addr add "$2" dev eth0
	ip -n wire link set eth0 up
	ip link set "$1" up
	until_true 5 has_carrier "$1" || fail "$1 has no carrier"
}

# A TAP that another process holds goes when that lets go, which may be after the answer.
no_device() { [[ ! -e /sys/class/net/$1 ]]; }

has_carrier() { [[ $(</sys/class/net/"$1"/operstate) == up ]]; }

# The host's end of a switch: host SWITCH ADDRESS/LEN.
host() {
	ip addr add "$2" dev "vsw-$1"
	ip link set "vsw-$1" up
}

# here NAME COMMAND...: runs in the namespace NAME; 'host' is where the switch runs.
here() {
	local name=$1
	shift
	if [[ $name == host ]]; then "$@"; else ip netns exec "$name" "$@"; fi
}

reaches() { here "$1" ping -q -c 1 -W 1 "$2" >/dev/null 2>&1; }

# reachable FROM ADDRESS; unreachable FROM ADDRESS. The latter waits for two lost pings.
reachable() { until_true 5 reaches "$1" "$2" || fail "$1 does not reach $2"; }
unreachable() {
	! here "$1" ping -q -c 2 -i 0.2 -W 1 "$2" >/dev/null 2>&1 || fail "$1 reaches $2"
}

# --- single frames -------------------------------------------------------------------------

# frame DESTINATION SOURCE [TYPE [BYTES]]: a frame in hex, 'x' bytes long in all (60).
frame() {
	local hex=${1//:/}${2//:/}${3:-88b5} size=${4:-60}
	printf '%s%0*d\n' "$hex" $((2 * size - ${#hex})) 0
}

# send WHERE IFNAME: sends the frames that it reads, one line of hex each.
send() {
	local line
	while IFS= read -r line; do
		xxd -r -p <<<"$line" | here "$1" socat -u -b 65536 - "INTERFACE:$2"
	done
}

# A pcap file of the frames that it reads: to_pcap FILE.
to_pcap() {
	local line size
	{
		printf 'd4c3b2a1020004000000000000000000ffff000001000000'
		while IFS= read -r line; do
			size=$(printf '%08x' $((${#line} / 2)))
			size=${size:6:2}${size:4:2}${size:2:2}${size:0:2}
			printf '0000000000000000%s%s%s' "$size" "$size" "$line"
		done
	} | xxd -r -p >"$1"
}

# The frames of a pcap file as lines of hex.
from_pcap() {
	tcpdump -n -r "$1" -xx 2>/dev/null | awk '
		/^\t0x/ { sub(/^\t0x[0-9a-f]*:/, ""); gsub(/ /, ""); line = line $0; next }
		{ if (line != "") print line; line = "" }
		END { if (line != "") print line }'
}

# --- files over TCP ------------------------------------------------------------------------

# A file of so many MB: make_file PATH MB.
make_file() {
	mkdir -p "$(dirname "$1")"
	head -c "${2}M" /dev/urandom >"$1"
}

# serve WHERE DIR: HTTP on port 80.
serve() {
	here "$1" busybox httpd -f -p 80 -h "$2" >/dev/null 2>&1 &
	disown
	until_true 5 listens "$1" || fail "the web server does not start in $1"
}

listens() { here "$1" ss -Hltn 'sport = :80' | grep -q .; }

# fetch WHERE URL FILE: fetches and compares with FILE.
fetch() {
	local sum
	sum=$(here "$1" timeout 60 busybox wget -q -O - "$2" | sha256sum) || fail "$1 cannot fetch $2"
	[[ $sum == "$(sha256sum <"$3")" ]] || fail "what $1 fetched from $2 is not the file"
}
