# shellcheck shell=bash
#
# Starts and stops the switches that bench/compare measures: vsw in three set-ups, Open vSwitch
# with DPDK, testpmd, and the Linux bridge in two. One runs at a time, on one core.
#
#   vhost-user:  guest 1 ---- 1.sock ---- [ vsw | ovs | testpmd ] ---- 2.sock ---- guest 2
#
#   TAPs:        machine 1 -- t1 -------- [ bridge | vsw ] ------------------ t2 -- machine 2
#                machine 1 == t1 -------- [ vsw-tap ] ----------------------- t2 == machine 2
#                          -- a program holds the TAP, as a VMM does; the switch has its interface
#                          == the switch holds the TAP; the machine is the host, on its interface
#
# Everything is private: the network (switches_own_world), the directory with sockets, state and
# databases, the processes. The system's own Open vSwitch is neither asked nor stopped. Whoever
# sources this sets SW_BUILD, and traps EXIT with switches_end.

SW_BUILD=${SW_BUILD:-build} # where vswd and vswctl are
SW_PORTS=${SW_PORTS:-2}
SW_MTU=${SW_MTU:-9000}
SW_STATIONS=${SW_STATIONS:-131072} # addresses behind each port
SW_HUGEPAGES=${SW_HUGEPAGES:-768}  # of 2 MB, wanted
SW_WORK=''                         # made by switches_begin
SW_HUGE=''                         # set when there are hugepages
# The cores: of the switch, of the guests, and for what else a switch does.
SW_CORE='' SW_GUEST_CORE='' SW_OTHER_CORE=''

# Set by start_switch: sockets and role of the guests, or the ends for tapbench, and the processes
# that do the switching.
sw_guests=() sw_role='' sw_ends=() sw_watch=()

sw_pids=()
sw_tool='' # a program that measures, while it runs
sw_pages=0
sw_nr_hugepages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
sw_ovs=/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk

# --- the world around them -----------------------------------------------------------------

# switches_own_world SCRIPT ARGUMENT...: runs SCRIPT again, in a network and a mount namespace of
# its own. Returns in that world only.
switches_own_world() {
	if [[ -z ${SW_OWN_WORLD:-} ]]; then
		SW_OWN_WORLD=1 exec unshare --net --mount --propagation private bash "$@"
	fi
	unset SW_OWN_WORLD
	local file
	mount -t sysfs sysfs /sys
	ip link set lo up
	# Kernels that talk by themselves are counted, and firewalls are no part of the comparison.
	for file in /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6; do
		[[ ! -e $file ]] || echo 1 >"$file"
	done
	for file in /proc/sys/net/bridge/bridge-nf-call-*; do
		[[ ! -e $file ]] || echo 0 >"$file"
	done
}

# Two runs at once would measure each other.
switches_lock() {
	local lock=/run/vsw-bench.lock
	exec 9>>"$lock"
	flock -n 9 || sw_die "another comparison is running (it holds $lock)"
}

# The first core that this process may use is the guests', the last one the switch's.
switches_cores() {
	local list part cores=()
	list=$(taskset -pc $$ | sed 's/.*: *//')
	for part in ${list//,/ }; do
		read -ra part <<<"$(seq -s ' ' "${part%-*}" "${part#*-}")"
		cores+=("${part[@]}")
	done
	((${#cores[@]} >= 2)) ||
		sw_die "two cores are needed: one for the switch, one for the guests"
	SW_GUEST_CORE=${cores[0]} SW_OTHER_CORE=${cores[0]} SW_CORE=${cores[-1]}
	((${#cores[@]} == 2)) || SW_OTHER_CORE=${cores[1]}
}

# Makes the private directory and reserves hugepages.
switches_begin() {
	SW_WORK=$(mktemp -d "${TMPDIR:-/tmp}/vsw-bench.XXXXXX")
	sw_log=$SW_WORK/log
	: >"$sw_log"
	sw_reserve_hugepages
}

# Undoes all of it, whatever there is.
switches_end() {
	[[ -z $sw_tool ]] || sw_end_process "$sw_tool"
	end_switch
	if ((sw_pages > 0)); then
		echo $(($(<$sw_nr_hugepages) - sw_pages)) >$sw_nr_hugepages
		sw_pages=0
	fi
	[[ -z $SW_WORK ]] || umount "$SW_WORK/huge" 2>/dev/null || :
	[[ -z $SW_WORK ]] || rm -rf "$SW_WORK"
	SW_WORK=''
}

# switches_measure BUILD DIR STEP...: the steps, one after the other, in a world of our own and with
# nobody else measuring; what they start is ended whatever happens. Results go into DIR.
switches_measure() {
	local step results=$2
	SW_BUILD=$1
	trap sw_cleanup EXIT
	trap 'exit 130' INT TERM HUP
	switches_lock
	switches_cores
	mkdir -p "$results" || sw_die "no directory for the results"
	[[ ! -e $results/samples.jsonl ]] ||
		sw_die "$results has results already; choose another directory with -o"
	switches_begin
	for step in "${@:3}"; do
		"$step"
	done
}

sw_cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	switches_end
	exit "$status"
}

sw_reserve_hugepages() {
	local free before available
	[[ -w $sw_nr_hugepages ]] || return 0
	free=$(<"${sw_nr_hugepages/nr_/free_}")
	available=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
	if ((free < SW_HUGEPAGES && available > 2 * SW_HUGEPAGES + 2048)); then
		before=$(<$sw_nr_hugepages)
		echo $((before + SW_HUGEPAGES - free)) >$sw_nr_hugepages
		sw_pages=$(($(<$sw_nr_hugepages) - before))
		free=$(<"${sw_nr_hugepages/nr_/free_}")
	fi
	if ((free < SW_HUGEPAGES)); then
		((sw_pages == 0)) || echo $(($(<$sw_nr_hugepages) - sw_pages)) >$sw_nr_hugepages
		sw_pages=0
		sw_say "only $free of $SW_HUGEPAGES hugepages can be had: all switches run without"
		return 0
	fi
	SW_HUGE=1
	if ! grep -q ' hugetlbfs ' /proc/mounts; then
		mkdir "$SW_WORK/huge"
		mount -t hugetlbfs none "$SW_WORK/huge"
	fi
}

# --- one switch ----------------------------------------------------------------------------

# Says why a switch cannot be measured here and what would help; fails when it can.
switch_missing() {
	case $1 in
	ovs)
		[[ -x $sw_ovs ]] && sw_has ovsdb-server ovsdb-tool ovs-vsctl && return 1
		echo "ovs is left out: OVS-DPDK is not installed; apt-get install openvswitch-switch-dpdk"
		;;
	testpmd)
		sw_has dpdk-testpmd && return 1
		echo "testpmd is left out: it is not installed; apt-get install dpdk"
		;;
	bridge)
		sw_can_bridge && return 1
		echo "bridge is left out: this kernel has none; modprobe bridge"
		;;
	bridge-napi)
		sw_can_bridge && [[ $(cat /proc/2/comm 2>/dev/null) == kthreadd ]] && return 1
		echo "bridge-napi is left out: kernel threads cannot be pinned from in here (a container)"
		;;
	*) return 1 ;;
	esac
}

switch_version() {
	case $1 in
	vsw*) "$SW_BUILD/switch/vswd" --version ;;
	ovs) "$sw_ovs" --version | sed -n '1s/.*) //p;2p' | paste -sd ' ' ;;
	testpmd) dpkg-query -W -f 'DPDK ${Version}\n' dpdk 2>/dev/null || echo "DPDK, unknown version" ;;
	bridge*) uname -sr ;;
	esac
}

# start_switch NAME: with SW_PORTS ports, ready for guests.
start_switch() {
	local i
	: >"$sw_log"
	sw_guests=() sw_role='' sw_ends=() sw_watch=()
	for ((i = 1; i <= SW_PORTS; i++)); do
		sw_guests+=("$SW_WORK/$i.sock")
	done
	case $1 in
	vsw) start_vsw ;;
	ovs) start_ovs ;;
	testpmd) start_testpmd ;;
	bridge | bridge-napi) start_bridge "$1" ;;
	vsw-nic | vsw-tap) start_vsw_taps "${1#vsw-}" ;;
	*) sw_die "there is no switch '$1' to start" ;;
	esac
}

# Ends the switch that runs, if one does, and removes what it made.
end_switch() {
	local i device
	for ((i = ${#sw_pids[@]} - 1; i >= 0; i--)); do
		sw_end_process "${sw_pids[i]}"
	done
	sw_pids=()
	[[ -n $SW_WORK ]] || return 0
	rm -rf "$SW_WORK"/{*.sock,run,state,ovs,console}
	for device in /sys/class/net/{br0,t[0-9]*}; do
		[[ ! -e $device ]] || ip link delete "${device##*/}"
	done
}

# vswd alone, with a switch 's'.
start_vswd() {
	local no_huge=(--no-huge)
	[[ -z $SW_HUGE ]] || no_huge=()
	sw_spawn "$SW_BUILD/switch/vswd" -r "$SW_WORK/run" -s "$SW_WORK/state" --procs "$SW_CORE" \
		--poll always "${no_huge[@]}"
	sw_watch=("${sw_pids[-1]}")
	sw_wait_for sw_answers
	sw_ctl switch add s private
	sw_ctl switch set s mtu "$SW_MTU" stations $((SW_STATIONS * SW_PORTS))
}

start_vsw() {
	local i
	start_vswd
	for ((i = 1; i <= SW_PORTS; i++)); do
		sw_ctl port add "p$i" switch s vhost "$SW_WORK/$i.sock" server
		sw_ctl port set "p$i" max-stations "$SW_STATIONS"
	done
	sw_role=--client
}

start_vsw_taps() {
	local i
	start_vswd
	[[ $1 == tap ]] || sw_make_taps
	for i in 1 2; do
		sw_ctl port add "p$i" switch s "$1" "t$i"
		ip link set "t$i" mtu "$SW_MTU" up
		[[ $1 == tap ]] && sw_ends+=("host:t$i") || sw_ends+=("tap:t$i")
	done
}

start_bridge() {
	local i
	sw_make_taps
	ip link add br0 type bridge mcast_snooping 0
	ip link set br0 mtu "$SW_MTU" up
	for i in 1 2; do
		ip link set "t$i" master br0
		sw_ends+=("tap:t$i")
	done
	[[ $1 == bridge ]] || sw_ends=(--napi-core "$SW_CORE" "${sw_ends[@]}")
}

start_testpmd() {
	local i memory=(--no-huge --no-shconf -m 768) devices=()
	[[ -z $SW_HUGE ]] || memory=(--in-memory -m 512)
	for ((i = 1; i <= SW_PORTS; i++)); do
		devices+=(--vdev "net_vhost$i,iface=$SW_WORK/$i.sock")
	done
	# testpmd leaves when its stdin ends, so that is a pipe which it holds open itself.
	mkfifo "$SW_WORK/console"
	# shellcheck disable=SC2016 # for the inner shell
	sw_spawn sh -c 'exec "$@" <>"$0"' "$SW_WORK/console" stdbuf -oL dpdk-testpmd \
		"${memory[@]}" -l "$SW_OTHER_CORE,$SW_CORE" --no-pci --no-telemetry --file-prefix "vsw$$" \
		"${devices[@]}" -- --forward-mode=io --auto-start --no-mlockall \
		--total-num-mbufs=20000 --mbuf-size=10000 --max-pkt-len=9200 --txd=1024 --rxd=1024
	sw_watch=("${sw_pids[-1]}")
	# Its sockets are there before its ports are started.
	sw_wait_for grep -q "Press enter to exit" "$sw_log"
	sw_role=--client
}

start_ovs() {
	local i db=$SW_WORK/ovs eal="--no-huge --no-shconf -m 1024"
	local vsctl=(ovs-vsctl --timeout=30 "--db=unix:$SW_WORK/ovs/db.sock")
	[[ -z $SW_HUGE ]] || eal="--in-memory"
	mkdir "$db"
	export OVS_RUNDIR=$db OVS_LOGDIR=$db OVS_DBDIR=$db
	ovsdb-tool create "$db/conf.db" /usr/share/openvswitch/vswitch.ovsschema
	sw_spawn ovsdb-server "$db/conf.db" --remote="punix:$db/db.sock" --unixctl="$db/db.ctl"
	sw_wait_for test -S "$db/db.sock"
	"${vsctl[@]}" --no-wait init
	# Without a limit OVS takes more than a gigabyte for its buffers while the guests wait for it.
	"${vsctl[@]}" --no-wait set Open_vSwitch . other_config:dpdk-init=true \
		other_config:pmd-cpu-mask="$(printf '%x' $((1 << SW_CORE)))" \
		other_config:dpdk-lcore-mask="$(printf '%x' $((1 << SW_OTHER_CORE)))" \
		other_config:dpdk-socket-mem=512 other_config:dpdk-socket-limit=512 \
		other_config:vhost-sock-dir=. \
		other_config:dpdk-extra="$eal --no-pci --no-telemetry --file-prefix vsw$$"
	sw_spawn "$sw_ovs" "unix:$db/db.sock" --unixctl="$db/ovs.ctl"
	sw_watch=("${sw_pids[-1]}")
	"${vsctl[@]}" add-br br0 -- set bridge br0 datapath_type=netdev \
		other_config:mac-table-size=$((SW_STATIONS * SW_PORTS))
	for ((i = 1; i <= SW_PORTS; i++)); do
		# OVS owns the sockets, as the others do: as their client it would connect only once a
		# second. Its data path is the same in both roles.
		"${vsctl[@]}" add-port br0 "p$i" -- set interface "p$i" type=dpdkvhostuser \
			mtu_request="$SW_MTU"
		sw_guests[i - 1]=$db/p$i
	done
	sw_role=--client
}

# --- helpers -------------------------------------------------------------------------------

sw_say() { printf '%s\n' "$*" >&2; }

sw_die() {
	sw_say "${0##*/}: $*"
	exit 2
}

sw_has() {
	local program
	for program in "$@"; do
		[[ -x $(command -v "$program") ]] || return 1
	done
}

sw_can_bridge() {
	ip link add sw-try type bridge 2>/dev/null && ip link delete sw-try
}

sw_answers() { "$SW_BUILD/switch/vswctl" -r "$SW_WORK/run" show switches; }

sw_ctl() {
	"$SW_BUILD/switch/vswctl" -r "$SW_WORK/run" "$@" >>"$sw_log" 2>&1 && return
	tail -n 20 "$sw_log" >&2
	sw_die "vswctl $*: failed"
}

# Starts a process that does not outlive this one, whatever ends it.
sw_spawn() {
	setpriv --pdeathsig KILL -- "$@" 9>&- >>"$sw_log" 2>&1 &
	sw_pids+=($!)
}

# Waits until a process has ended that got SIGTERM; SIGKILL when it takes over five seconds.
sw_end_process() {
	local pid=$1 i
	kill "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 100; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	kill -9 "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
}

# Waits until a command succeeds, as long as the process that was started last is there.
sw_wait_for() {
	local i
	for ((i = 0; i < 400; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		kill -0 "${sw_pids[-1]}" 2>/dev/null || break
		sleep 0.05
	done
	tail -n 20 "$sw_log" >&2
	sw_die "waited in vain for: $*"
}

# TAPs for programs to take, with interfaces that are up.
sw_make_taps() {
	local i
	for i in 1 2; do
		ip tuntap add "t$i" mode tap vnet_hdr
		ip link set "t$i" mtu "$SW_MTU" up
	done
}
