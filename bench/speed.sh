#!/bin/bash
# How fast is vswd, and how fast are other switches in the same minutes on the same core?
#
#   bench/speed.sh [-b BUILD_DIR] [-n ROUNDS] [-t SECONDS] [-w "SWITCH..."] [-o OUT] [POINT...]
#
# Each round starts every switch anew (their order rotates), on the last core, and sends traffic
# from core 0 through it, guest to guest both ways. A POINT is SIZE[,OPTION[=VALUE]...] where an
# option is one of vswgen's without its dashes, such as 1518,touch or 64,macs=10000 or imix,one-way.
# SWITCH is vswd, testpmd (io mode), ovs (OVS-DPDK, NORMAL action) or null (none at all: the
# generator's own ceiling). Nothing of the system's own Open vSwitch is touched.
#
# Needs root, and for the peers the packages dpdk and openvswitch-switch-dpdk. 2 MB hugepages are
# reserved when there is room for them and given back at the end. On a machine that does other work,
# too: echo -20 >/proc/self/autogroup; nice -n -20 bench/speed.sh ...
set -euo pipefail

build=build rounds=3 seconds=0.8 out='' hugepages=768
disturbed=10 # percent of the time that switch and generator may wait for a processor
switches="null vswd testpmd ovs"
default_points="64 512 1518 64,macs=10000 64,touch 1518,touch"
ovs_lib=/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk

usage() { sed -n '2,16s/^# \{0,1\}//p' "$0"; }

arguments=("$@")
while getopts b:n:t:w:o:h opt; do
	case $opt in
	b) build=$OPTARG ;;
	n) rounds=$OPTARG ;;
	t) seconds=$OPTARG ;;
	w) switches=$OPTARG ;;
	o) out=$OPTARG ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
read -ra points <<<"${*:-$default_points}"

core=$(($(nproc) - 1))
gen=$build/bench/vswgen
work='' results='' log=''
pids=()
old_pages='' mounted='' huge=''

say() { echo "$*" >&2; }
die() { say "speed: $*"; exit 1; }

# Ends one process that we started and waits for it; SIGKILL when it takes over five seconds.
end_process() {
	local pid=$1 i
	kill "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 50; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

end_switch() {
	local i
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		end_process "${pids[i]}"
	done
	pids=()
	[[ -z $work ]] || rm -f "$work"/*.sock
}

cleanup() {
	trap - EXIT
	end_switch
	[[ $mounted ]] && umount "$work/huge"
	[[ $old_pages ]] && echo "$old_pages" >/proc/sys/vm/nr_hugepages
	if [[ $out && -s $results ]]; then
		cp "$results" "$out"
	fi
	[[ -z $work ]] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Sets huge=1 when hugepages could be had.
reserve_hugepages() {
	local have
	old_pages=$(cat /proc/sys/vm/nr_hugepages)
	if ((old_pages < hugepages)); then
		echo $hugepages >/proc/sys/vm/nr_hugepages
	fi
	have=$(awk '/HugePages_Free/ {print $2}' /proc/meminfo)
	if ((have < hugepages)); then
		say "speed: only $have of $hugepages hugepages are free; all switches run without"
		echo "$old_pages" >/proc/sys/vm/nr_hugepages
		old_pages=
		return
	fi
	huge=1
	if ! grep -q ' hugetlbfs ' /proc/mounts; then
		mkdir "$work/huge"
		mount -t hugetlbfs none "$work/huge"
		mounted=1
	fi
}

wait_for() {
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	tail -20 "$log" >&2
	die "waited in vain for: $*"
}

start_vswd() {
	local ctl=("$build/switch/vswctl" -r "$work/run") no_huge=(--no-huge)
	[[ $huge ]] && no_huge=()
	rm -rf "$work/run" "$work/state"
	"$build/switch/vswd" -r "$work/run" -s "$work/state" --procs "$core" --poll always \
		"${no_huge[@]}" >>"$log" 2>&1 &
	pids+=($!)
	wait_for "${ctl[@]}" show switches
	"${ctl[@]}" switch add s private
	# Half of the table for each port: room for 16384 addresses.
	"${ctl[@]}" switch set s mtu 9000 stations 32768
	for port in 1 2; do
		"${ctl[@]}" port add p$port switch s vhost "$work/$port.sock" server
		"${ctl[@]}" port set p$port max-stations 16384
	done
	role=--client
}

start_testpmd() {
	local memory=(--no-huge --no-shconf -m 768)
	[[ $huge ]] && memory=(--in-memory -m 512)
	# testpmd leaves when its stdin ends.
	mkfifo "$work/stdin" 2>/dev/null || true
	sleep infinity >"$work/stdin" &
	pids+=($!)
	dpdk-testpmd "${memory[@]}" -l "0,$core" --no-pci --no-telemetry \
		--file-prefix "speed$$" --vdev "net_vhost0,iface=$work/1.sock" \
		--vdev "net_vhost1,iface=$work/2.sock" -- --forward-mode=io --auto-start \
		--no-mlockall --total-num-mbufs=20000 --mbuf-size=10000 --max-pkt-len=9200 \
		--txd=1024 --rxd=1024 <"$work/stdin" >>"$log" 2>&1 &
	pids+=($!)
	wait_for test -S "$work/2.sock"
	sleep 2 # its sockets are there before its ports are started
	role=--client
}

start_ovs() {
	local db=$work/ovs eal="--no-huge -m 1024"
	local vsctl=(ovs-vsctl --db="unix:$db/db.sock")
	[[ $huge ]] && eal="--in-memory"
	rm -rf "$db"
	mkdir "$db"
	export OVS_RUNDIR=$db OVS_LOGDIR=$db OVS_DBDIR=$db
	ovsdb-tool create "$db/conf.db" /usr/share/openvswitch/vswitch.ovsschema
	ovsdb-server "$db/conf.db" --remote="punix:$db/db.sock" --unixctl="$db/db.ctl" >>"$log" 2>&1 &
	pids+=($!)
	wait_for test -S "$db/db.sock"
	"${vsctl[@]}" --no-wait init
	"${vsctl[@]}" --no-wait set Open_vSwitch . other_config:dpdk-init=true \
		other_config:pmd-cpu-mask="$(printf '%x' $((1 << core)))" other_config:dpdk-lcore-mask=1 \
		other_config:dpdk-socket-mem=512 other_config:vhost-sock-dir=. \
		other_config:dpdk-extra="$eal --no-pci --no-telemetry --file-prefix speed$$"
	"$ovs_lib" "unix:$db/db.sock" --unixctl="$db/ovs.ctl" >>"$log" 2>&1 &
	pids+=($!)
	"${vsctl[@]}" --timeout=30 add-br br0 -- set bridge br0 datapath_type=netdev \
		other_config:mac-table-size=65536
	local i
	for i in 1 2; do
		"${vsctl[@]}" --timeout=30 add-port br0 "p$i" -- set interface "p$i" \
			type=dpdkvhostuserclient options:vhost-server-path="$work/$i.sock" mtu_request=9000
	done
	role=--server
}

# point_args 64,macs=10000,touch -> --size 64 --macs 10000 --touch
point_args() {
	local part parts
	IFS=, read -ra parts <<<"$1"
	printf -- '--size %s' "${parts[0]}"
	for part in "${parts[@]:1}"; do
		printf -- ' --%s' "${part/=/ }"
	done
}

# Measures one point on the running switch and appends "SWITCH POINT MPPS GBPS IDLE WAITED" to the
# results. When others kept switch or generator from running, it is measured again.
measure() {
	local switch=$1 point=$2 warm=0.5 try line target row
	[[ $point == *macs=* ]] && warm=3
	if [[ $switch == null ]]; then
		target=(--null "$core")
	else
		target=("$role" --guest "$work/1.sock" --guest "$work/2.sock" --timeout 20
			--watch "${pids[-1]}")
	fi
	for try in 1 2 3 4; do
		# shellcheck disable=SC2046 # words are wanted
		line=$("$gen" -j --core 0 ${huge:+--huge} --seconds "$seconds" --warm-up $warm \
			$(point_args "$point") "${target[@]}") || die "$switch $point: $line"
		row=$(sed -E 's/.*"rx_mpps":([^,]*),"gbps":([^,]*),.*"idle_pct":([^,]*),"waited_pct":([^,]*),.*/\1 \2 \3 \4/' \
			<<<"$line")
		row="$switch $point $row"
		awk "{ exit !(\$6 < $disturbed) }" <<<"$row" && break
		say "$row: disturbed ($try)"
	done
	tee -a "$results" <<<"$row" >&2
}

# Medians, least and most of each cell, and ratios of vswd to each peer.
summary() {
	awk -v limit=$disturbed '
	function sort(list, n,   i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
				t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
			}
	}
	!($1 in seen_s) { seen_s[$1] = 1; switches[++ns] = $1 }
	!($2 in seen_p) { seen_p[$2] = 1; points[++np] = $2 }
	{ k = $1 SUBSEP $2; v[k, ++n[k]] = $3; idle[k] += $5; disturbed += $6 >= limit }
	END {
		printf "%-18s", "Mpps"
		for (s = 1; s <= ns; s++) printf " %24s", switches[s]
		printf "\n"
		for (p = 1; p <= np; p++) {
			printf "%-18s", points[p]
			for (s = 1; s <= ns; s++) {
				k = switches[s] SUBSEP points[p]
				if (!n[k]) { printf " %24s", "-"; continue }
				for (i = 1; i <= n[k]; i++) list[i] = v[k, i]
				sort(list, n[k])
				m = n[k] % 2 ? list[(n[k] + 1) / 2] : (list[n[k] / 2] + list[n[k] / 2 + 1]) / 2
				median[k] = m
				printf " %24s", sprintf("%.2f (%.2f-%.2f) %d%%", m, list[1], list[n[k]], idle[k] / n[k])
			}
			printf "\n"
		}
		if (disturbed)
			printf "%d samples are too low: other programs took the processor\n", disturbed
		if (!("vswd" in seen_s)) exit
		printf "\nvswd is faster than"
		for (s = 1; s <= ns; s++)
			if (switches[s] != "vswd" && switches[s] != "null") printf " %12s", switches[s]
		printf "\n"
		for (p = 1; p <= np; p++) {
			printf "%-19s", points[p]
			for (s = 1; s <= ns; s++) {
				k = switches[s] SUBSEP points[p]
				if (switches[s] == "vswd" || switches[s] == "null" || !median[k]) continue
				printf " %12s", sprintf("%.2fx", median["vswd" SUBSEP points[p]] / median[k])
			}
			printf "\n"
		}
	}' "$results"
}

# A function, so that all of the file is read before it runs.
main() {
	((EUID == 0)) || die "must be root"
	# OVS makes interfaces; they go with this namespace.
	if [[ -z ${SPEED_OWN_NET:-} ]]; then
		SPEED_OWN_NET=1 exec unshare --net bash "$0" "${arguments[@]}"
	fi
	exec 9>/tmp/vsw-speed.lock
	flock -n 9 || die "is running already; two at once would measure each other"
	((core > 0)) || die "needs two cores: one for the switch, one for the generator"
	[[ -x $gen ]] || die "$gen is missing: build it, or name the build directory with -b"
	local s order round switch point
	for s in $switches; do
		case $s in
		null) ;;
		vswd) [[ -x $build/switch/vswd ]] || die "$build/switch/vswd is missing" ;;
		testpmd) command -v dpdk-testpmd >/dev/null || die "package dpdk is missing" ;;
		ovs) [[ -x $ovs_lib ]] || die "package openvswitch-switch-dpdk is missing" ;;
		*) die "$s is none of: null vswd testpmd ovs" ;;
		esac
	done

	work=$(mktemp -d /tmp/vsw-speed.XXXXXX)
	results=$work/results log=$work/log
	reserve_hugepages
	read -ra order <<<"$switches"
	for ((round = 1; round <= rounds; round++)); do
		for switch in "${order[@]}"; do
			say "round $round of $rounds: $switch"
			: >"$log"
			[[ $switch == null ]] || "start_$switch"
			for point in "${points[@]}"; do
				measure "$switch" "$point"
			done
			end_switch
		done
		order=("${order[@]:1}" "${order[0]}")
	done
	echo "switch on core $core, generator on core 0, $rounds rounds of $seconds s," \
		"$([[ $huge ]] && echo with || echo without) hugepages:" \
		"median (least-most), share of time that the generator waited"
	summary
}

main
