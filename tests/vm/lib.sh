# shellcheck shell=bash
#
# For the tests with real VMs: the world of the functional tests, and VMs in it. The image is
# made before, since the test's own world has no network to fetch a kernel from.

# shellcheck source=vm.sh
source "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
[[ -n ${VSW_OWN_WORLD:-} ]] || vm_image || exit 1
# shellcheck source=../functional/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../functional/lib.sh"

VM_DIR=$T/vms
mkdir -p "$VM_DIR"

show_vms() {
	local dir
	for dir in "$VM_DIR"/*/; do
		[[ ! -d $dir ]] || tail -n 15 "$dir/console.log" "$dir/qemu.log" 2>/dev/null
	done
}
trap 'status=$?; ((status == 0 || status == 77)) || show_vms; on_exit "$status"' EXIT

# vm NAME N: boots a VM with the address 10.1.0.N on the socket of that name.
vm() { vm_start "$1" "$RUN/$1.sock" "52:54:00:00:00:$(printf '%02x' "$2")" "10.1.0.$2/24"; }

# up NAME: waits until it runs commands.
up() { vm_wait "$1" 120 || fail "the VM $1 does not boot"; }

# guest NAME COMMAND [SECONDS]: runs in the VM.
guest() { vm_exec "$@"; }

# From inside a VM: guest_reaches NAME ADDRESS.
guest_reaches() { guest "$1" "ping -q -c 1 -W 2 $2" 10 >/dev/null; }
guest_reachable() { until_true 20 guest_reaches "$1" "$2" || fail "VM $1 does not reach $2"; }
guest_unreachable() {
	! guest "$1" "ping -q -c 2 -W 1 $2" 10 >/dev/null || fail "VM $1 reaches $2"
}

# guest_fetch NAME URL SUM [SECONDS]: fetches in the VM and compares.
guest_fetch() {
	local got
	got=$(guest "$1" "wget -q -O - $2 | sha256sum" "${4:-60}") || fail "VM $1 cannot fetch $2"
	[[ ${got%% *} == "$3" ]] || fail "what VM $1 fetched from $2 is not the file"
}

sum_of() { sha256sum <"$1" | cut -d' ' -f1; }
