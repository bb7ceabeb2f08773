# shellcheck shell=bash
#
# Small real Linux VMs for tests and for `lab`: Debian's cloud kernel, a busybox initramfs and
# QEMU with a vhost-user NIC. Nothing is installed into the system; the image is kept in a cache.
#
#      bash (vm_exec)              QEMU                        vswd
#      agent.sock <------- ttyS1 [guest] eth0 <--- rings ---> port
#      console.log <------ ttyS0   |  guest memory: memfd, shared with vswd
#
# Sourced, not run. Uses VM_DIR (a directory for the running VMs) and VM_CACHE; VM_CPUS and
# VM_QUEUES (queue pairs of the NIC) when a VM is to have several.

VM_CACHE=${VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vsw}
VM_MEMORY_MIB=${VM_MEMORY_MIB:-192}
vm_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Makes kernel and initramfs unless the cache has them; sets vm_kernel and vm_initrd.
vm_image() {
	local package tag tmp
	[[ -z ${vm_kernel:-} || ! -s $vm_kernel || ! -s $vm_initrd ]] || return 0
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		awk '/Depends: linux-image-/ { print $2; exit }')
	if [[ -z $package ]]; then
		# Without package lists, what is cached will do.
		package=$(find "$VM_CACHE" -maxdepth 1 -name 'linux-image-*' -printf '%f\n' 2>/dev/null |
			sort -V | tail -n 1)
	fi
	tag=$(cat "$vm_lib/guest-init" "$vm_lib/vm.sh" "$(command -v busybox)" | sha256sum | cut -c1-12)
	vm_kernel=$VM_CACHE/$package/vmlinuz
	vm_initrd=$VM_CACHE/$package/initrd-$tag
	[[ ! -s $vm_kernel || ! -s $vm_initrd ]] || return 0

	mkdir -p "$VM_CACHE"
	tmp=$(mktemp -d "$VM_CACHE/new.XXXXXX")
	chmod 755 "$tmp"
	if ! (vm_image_make "$tmp" "$package" "$vm_initrd") >"$tmp/log" 2>&1; then
		tail -n 20 "$tmp/log" >&2
		echo "vm: cannot make the VM image from '$package'; apt-get update may help" >&2
		rm -rf "$tmp"
		return 1
	fi
	rm -rf "$tmp"
}

# Kernel and modules come out of Debian's package, which is downloaded once.
vm_image_make() {
	set -e
	local tmp=$1 package=$2 initrd=$3 modules
	cd "$tmp"
	modules='virtio|virtio_ring|virtio_pci|virtio_pci_modern_dev|virtio_pci_legacy_dev'
	modules+='|failover|net_failover|virtio_net'
	if [[ ! -s $VM_CACHE/$package/vmlinuz ]]; then
		apt-get -q -o APT::Sandbox::User=root download "$package"
		dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards ./boot/'vmlinuz-*' \
			./lib/modules/'*'/kernel/drivers/virtio ./lib/modules/'*'/kernel/drivers/net \
			./lib/modules/'*'/kernel/net/core
		mkdir -p new/modules
		find lib -regextype posix-extended -regex ".*/($modules)\.ko(\.xz)?" \
			-exec cp {} new/modules/ \;
		find new/modules -name '*.xz' -exec unxz {} +
		[[ -e new/modules/virtio_net.ko ]]
		mv boot/vmlinuz-* new/vmlinuz
		rm -rf "${VM_CACHE:?}/$package"
		mv new "$VM_CACHE/$package"
	fi
	mkdir -p root/bin root/dev root/proc root/sys
	cp -r "$VM_CACHE/$package/modules" root/modules
	cp "$(command -v busybox)" root/bin/busybox
	cp "$vm_lib/guest-init" root/init
	chmod 755 root/init root/bin/busybox
	(cd root && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -1 >initrd
	rm -f "$VM_CACHE/$package"/initrd-*
	mv initrd "$initrd"
}

# KVM only where the processor says that it virtualizes: /dev/kvm alone may hang.
vm_has_kvm() {
	grep -qwE 'vmx|svm' /proc/cpuinfo && [[ -r /dev/kvm && -w /dev/kvm ]]
}

# Prints the QEMU arguments of a NIC: vm_nic SOCKET MAC; QEMU owns the socket.
vm_nic() {
	local queues=${VM_QUEUES:-1} device="virtio-net-pci,netdev=n0,mac=$2,romfile="
	echo -chardev "socket,id=c0,path=$1,server=on,wait=on"
	echo -netdev "vhost-user,id=n0,chardev=c0,queues=$queues"
	((queues == 1)) || device+=,mq=on
	# MSI-X with vhost-user crashes QEMU 7.2 when there is no KVM.
	if ! vm_has_kvm; then
		device+=,vectors=0
	elif ((queues > 1)); then
		device+=,vectors=$((2 * queues + 2))
	fi
	echo -device "$device"
}

# Prints the arguments that each VM has; the caller adds serial ports and NICs.
vm_machine() {
	local accel=tcg
	! vm_has_kvm || accel='kvm -cpu host'
	echo "-accel $accel -smp ${VM_CPUS:-1} -m $VM_MEMORY_MIB -display none -nodefaults"
	echo "-object memory-backend-memfd,id=mem,size=${VM_MEMORY_MIB}M,share=on"
	echo "-numa node,memdev=mem"
}

# vm_start NAME SOCKET MAC ADDRESS/LEN [KERNEL-PARAMETER...]: boots a VM in the background.
vm_start() {
	local name=$1 socket=$2 mac=$3 ip=$4 dir=$VM_DIR/$1 args
	shift 4
	vm_image || return
	mkdir -p "$dir"
	# shellcheck disable=SC2207 # no argument holds a space
	args=($(vm_machine) $(vm_nic "$socket" "$mac"))
	rm -f "$dir/agent.sock" "$dir/console.sock"
	setsid qemu-system-x86_64 "${args[@]}" \
		-kernel "$vm_kernel" -initrd "$vm_initrd" \
		-append "console=ttyS0 quiet panic=-1 vsw.name=$name vsw.ip=$ip $*" \
		-chardev "socket,id=s0,path=$dir/console.sock,server=on,wait=off,logfile=$dir/console.log" \
		-serial chardev:s0 \
		-chardev "socket,id=s1,path=$dir/agent.sock,server=on,wait=off" -serial chardev:s1 \
		</dev/null >"$dir/qemu.log" 2>&1 &
	echo $! >"$dir/pid"
	disown
	# Until then the process is a shell's, and vm_running() would not know it.
	while kill -0 "$(<"$dir/pid")" 2>/dev/null && ! vm_running "$name"; do
		sleep 0.02
	done
}

vm_running() {
	local pid
	pid=$(cat "$VM_DIR/$1/pid" 2>/dev/null) && [[ -n $pid ]] &&
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) == qemu-system* ]]
}

# vm_exec NAME COMMAND [SECONDS]: runs a shell command in the VM, prints what it prints, returns
# its status. 124: no answer in time.
vm_exec() (
	exec 2>/dev/null
	id=$BASHPID.$RANDOM
	deadline=$((SECONDS + ${3:-60}))
	coproc line { exec socat - "UNIX-CONNECT:$VM_DIR/$1/agent.sock"; }
	socat=$!
	exec {from}<&"${line[0]}" {to}>&"${line[1]}" || exit 124
	trap 'kill "$socat" && wait "$socat" || :' EXIT
	trap '' PIPE
	# An empty line first: it ends what an earlier caller may have left half said.
	printf '\n%s %s\n' "$id" "$(base64 -w0 <<<"$2")" >&"$to" || exit 124
	on=0 held=
	while ((SECONDS < deadline)); do
		text=
		if ! IFS= read -r -t $((deadline - SECONDS > 0 ? deadline - SECONDS : 1)) -u "$from" text; then
			exit 124
		fi
		text=${text%$'\r'}
		case $text in
		"BEGIN $id") on=1 ;;
		"END $id "*) exit "${text##* }" ;;
		*)
			# The guest adds one newline before END; it is held back and dropped.
			((on)) || continue
			((on == 1)) || printf '%s\n' "$held"
			on=2 held=$text
			;;
		esac
	done
	exit 124
)

# vm_wait NAME [SECONDS]: returns when the VM runs commands.
vm_wait() {
	local deadline=$((SECONDS + ${2:-90}))
	while ((SECONDS < deadline)); do
		if ! vm_running "$1"; then
			echo "vm: $1 ended while booting" >&2
			tail -n 20 "$VM_DIR/$1/qemu.log" "$VM_DIR/$1/console.log" >&2 2>/dev/null || :
			return 1
		fi
		[[ -S $VM_DIR/$1/agent.sock ]] && vm_exec "$1" true 2 && return
		sleep 0.2
	done
	echo "vm: $1 did not come up in ${2:-90} s" >&2
	tail -n 20 "$VM_DIR/$1/console.log" >&2 2>/dev/null || :
	return 1
}

# vm_stop NAME [SIGNAL]: ends the VM and forgets it.
vm_stop() {
	local dir=$VM_DIR/$1 pid
	if vm_running "$1"; then
		pid=$(cat "$dir/pid")
		kill "-${2:-TERM}" "$pid" 2>/dev/null || :
		for ((i = 0; i < 100; i++)); do
			vm_running "$1" || break
			sleep 0.05
		done
		! vm_running "$1" || kill -KILL "$pid" 2>/dev/null || :
	fi
	rm -rf "$dir"
}
