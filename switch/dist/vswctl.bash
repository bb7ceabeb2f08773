# bash completion for vswctl(8), vswd(8), vswsh(1) and vswbench(1)

_vswctl_names() {
	local kind=$1
	vswctl "${_vswctl_options[@]}" -j show "$kind" 2>/dev/null |
		sed 's/[{},]/\n/g' | sed -n 's/^ *"name" *: *"\([^"]*\)" *$/\1/p' | sort -u
}

_vswctl_complete() { # WORDS: offers those that begin with what is typed
	local IFS=$' \t\n'
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

_vswctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local i words=() _vswctl_options=()
	local policy="vlan mac-spoofing teaming vm ieee-priority storm-limit mirror
		dhcp-guard router-guard arp-guard address address-limit sessions sessions-full"
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-r | -f)
			[[ ${COMP_WORDS[i]} == -f ]] || _vswctl_options=(-r "${COMP_WORDS[i + 1]}")
			((i++))
			;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	case $previous in
	-r)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	-f | vhost | rx | tx)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	vlan)
		_vswctl_complete "default untagged access trunk isolated community promiscuous"
		return
		;;
	sessions-full)
		_vswctl_complete "drop allow"
		return
		;;
	direction)
		_vswctl_complete "in out both"
		return
		;;
	action)
		_vswctl_complete "allow deny meter"
		return
		;;
	protocol)
		_vswctl_complete "tcp udp icmp icmpv6 any"
		return
		;;
	stateful)
		_vswctl_complete "on off"
		return
		;;
	mirror)
		_vswctl_complete "none source destination"
		return
		;;
	nic)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net)" -- "$current")
		return
		;;
	switch)
		if ((${#words[@]} > 1)); then
			_vswctl_complete "$(_vswctl_names switches)"
			return
		fi
		;;
	esac
	case "${#words[@]} ${words[0]:-} ${words[1]:-}" in
	"0 "*) _vswctl_complete "-r -j -f switch port acl proc vmq show save help version" ;;
	"1 switch "*) _vswctl_complete "add set remove" ;;
	"1 port "*) _vswctl_complete "add set remove check" ;;
	"1 acl "*) _vswctl_complete "add remove show" ;;
	"1 proc "*) _vswctl_complete "show add remove" ;;
	"1 vmq "*) _vswctl_complete "show moves pin unpin" ;;
	"1 show "*) _vswctl_complete "switches ports policy sessions fdb drops procs" ;;
	"2 switch add"* | "2 port add"*) ;;
	"2 switch "*) _vswctl_complete "$(_vswctl_names switches)" ;;
	"2 vmq show") _vswctl_complete "$(_vswctl_names switches) $(_vswctl_names ports)" ;;
	"2 vmq moves" | "2 proc "*) ;;
	"2 port "* | "2 acl "* | "2 vmq "* | "2 show sessions") _vswctl_complete "$(_vswctl_names ports)" ;;
	"2 show "*) _vswctl_complete "$(_vswctl_names switches) $(_vswctl_names ports)" ;;
	"3 switch add") _vswctl_complete "external internal private" ;;
	"3 acl add") _vswctl_complete "basic extended" ;;
	"3 acl remove") _vswctl_complete "all" ;;
	*" acl add") _vswctl_complete "direction action local remote weight local-address remote-address
		protocol local-port remote-port stateful idle-timeout number" ;;
	*" switch add") _vswctl_complete "nic id device-id allow-management-os tap on off" ;;
	*" switch set") _vswctl_complete "ageing stations mtu vmq-scheduling dynamic static friendly-name" ;;
	*" port add") _vswctl_complete "switch vhost tap nic pcap client server rx tx queues mac id $policy" ;;
	*" port set" | *" port check") _vswctl_complete "mac $policy max-stations friendly-name" ;;
	esac
}

_vswd() {
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c) mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") ;;
	-r | -s) mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}") ;;
	--poll) _vswctl_complete "adaptive always" ;;
	--log-level) _vswctl_complete "error warn info debug" ;;
	*) _vswctl_complete "-c -r -s --procs --memory --no-huge --pci --poll --log-level
		--socket-group --socket-mode --help --version" ;;
	esac
}

_vswsh() {
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-p) _vswctl_complete "$(pidof vswd)" ;;
	-r) mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}") ;;
	-z | -y) mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") ;;
	dump) mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") ;;
	*) _vswctl_complete "-j -r -p -z -y help vswitch vport vnic vnbl proc where ring fdb drops
		vmq qosline extension miniport mopen lm lmi dt dump top" ;;
	esac
}

# Tests and options are those that the program's help names.
_vswbench() {
	local help test=
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--guest)
		mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		return
		;;
	--size) _vswctl_complete "64 512 1518 9000 imix"; return ;;
	--watch) _vswctl_complete "$(pidof vswd)"; return ;;
	esac
	((COMP_CWORD < 2)) || test=${COMP_WORDS[1]}
	case $test in -*) test= ;; esac
	help=$(vswbench ${test:+"$test"} --help 2>/dev/null)
	if [[ ${COMP_WORDS[COMP_CWORD]} == -* || -n $test ]]; then
		_vswctl_complete "$(grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' <<<"$help" | grep -oE -- '--[a-z-]+')"
	else
		_vswctl_complete "$(sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' <<<"$help")"
	fi
}

complete -F _vswctl vswctl
complete -F _vswbench vswbench
complete -F _vswd vswd
complete -F _vswsh vswsh
