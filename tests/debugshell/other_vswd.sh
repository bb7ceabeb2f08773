#!/usr/bin/env bash
# A vswd of another version that forwards: built here with fields added, moved, widened, renamed
# and removed. What the shell shows of it, while it runs, of its core and of its dump, is what the
# vswd says of itself.
#
#      vm1 ----> vswitch s ----> vm2
#       t1 ----X   (a trunk)
source "$(dirname "$0")/../functional/lib.sh"

if ! command -v meson >/dev/null || ! echo 'int i;' | "${CC:-cc}" -gbtf -x c -c -o "$T/probe.o" - 2>/dev/null; then
	echo "meson is missing, or this compiler makes no type data"
	exit 77
fi
# shellcheck source=tests/debugshell/altered.sh
source "$tests/debugshell/altered.sh"
build_altered
vswd=$T/altered/switch/vswd

# guest NAME MAC OPTION...
guest() {
	"$build/tests/guest/vguest" --socket "$RUN/$1.sock" --mac "$2" --timeout 600 \
		--expect 1000000000 --reconnect "${@:3}" >"$T/$1.log" 2>&1 &
	guests+=($!)
	disown
}

ports="s:internal vm1 vm2 t1 t2"

# --- what the shell says must agree with -------------------------------------------------------

# words COMMAND...: what it says of $target, without complaint but that of what is missing.
words() {
	timeout 20 "$vswsh" "${target[@]}" "$@" >"$T/stdout" 2>"$T/stderr" || fail "$*: $(cat "$T/stderr" "$T/stdout")"
	! grep -F '***' "$T/stdout" >&2 || fail "$* shows damage"
	! grep -vE "^vswsh: (this vswd is another build \(version 0\.0\.9, .*|this vswd's struct [a-z_]* has no field '(${missing_fields})')$" \
		"$T/stderr" >&2 || fail "$* complains"
	cat "$T/stderr" >>"$T/complaints"
	cat "$T/stdout"
}
missing_fields=$(tr ' ' '\n' <<<"$missing" | sed 's/^\([a-z]*\)\.\(.*\)/(\1\\.)?\2/' | paste -sd '|')

# Both as one line a thing: name=value.
lines='def lines: to_entries[] | "\(.key)=\(.value)";
	def mac: if . == null then . else ascii_downcase | gsub("-"; ":") end;
	def id: . as $n | [4096, 256, 16, 1] | map("0123456789abcdef"[($n / . | floor) % 16:][:1]) | "0x" + add;
	def on: if . then "on" else "off" end;'

said_ports() {
	ctl -j show ports | jq -r "$lines"'.ports[] | .name as $port | {id: (.id | id), type,
		state: .port_state, is_validation, friendly_name, rx: [.rx_frames, .rx_bytes, .rx_flooded],
		tx: [.tx_frames, .tx_bytes, .tx_completed], drops_in, drops_out, kind, nic_state: .state,
		path, why, since: .since_s} | lines | "\($port) \(.)"' | grep -vE '=null$|drops_.*=\{\}|why=$'
}

shown_ports() {
	local port
	for port in s:default $ports; do
		words -j vport "$port" | jq -r --arg port "$port" "$lines"'
			def drops(of): [.drops[] | select(.direction == of) | {(.reason): .frames}] | add;
			.objects[0] | {id: .state.id, type: .state.type.name, state: .state.state.name,
			is_validation: .state.is_validation, friendly_name,
			rx: [.counters.from_vnic.frames, .counters.from_vnic.bytes, .counters.flooded],
			tx: [.counters.to_vnic.frames, .counters.to_vnic.bytes, .counters.completed],
			drops_in: drops("In"), drops_out: drops("Out")} | lines | "\($port) \(.)"'
		[[ $port != *:default ]] || continue
		words -j vnic "$port" | jq -r --arg port "$port" "$lines"'.objects[0].state |
			{kind: .kind.name, nic_state: .state.name, path, why: .what_is_wrong,
			since: .since_unix_s} | lines | "\($port) \(.)"'
	done | grep -v '=null$'
}

said_policies() {
	ctl -j show policy | jq -r "$lines"'.policy[] | .port as $port | {vlan: (.vlan | sub("default"; "untagged")),
		storm_limit, mirror, dhcp_guard, arp_guard, address, ieee_priority,
		macs: .allowed_macs} | lines | "\($port) \(.)"' | grep -v '=null$'
}

shown_policies() {
	local port
	for port in $ports; do
		words -j vport "$port" | jq -r --arg port "$port" "$lines"'.objects[0].policy | {
			vlan: (if .vlan.name == "trunk" then "trunk \(.carries | join(",")) native \(.without_a_tag.vlan)"
				elif .vlan.name == "access" then "access \(.without_a_tag.vlan)"
				else .vlan.name // "untagged" end),
			storm_limit: .storm_limit.frames_per_s,
			mirror: (if .monitor_mode.number == 0 then null
				else "\(.monitor_mode.name | ascii_downcase) session \(.monitor_session)" end),
			dhcp_guard: (.dhcp_guard | on), arp_guard: (.arp_guard | on), address: (if .announces then .announces | join(",") else null end),
			ieee_priority: (.keeps_priority | on), macs: (if .sends_from then .sends_from | map(mac) else null end)} |
			lines | "\($port) \(.)"'
	done | grep -v '=null$'
}

said_rest() {
	ctl -j show switches | jq -r "$lines"'.switches[] | {friendly_name, id, device_id, ports, stations, max_stations} | lines'
	ctl -j show fdb | jq -r "$lines"'(.fdb | sort_by(.mac)[] | "\(.mac) \(.vlan) \(.type) \(.port)"),
		(.totals[0] | {learned, moved, aged, flushed, forgotten, refused, busy, pinned} | lines)'
	ctl -j show procs | jq -r "$lines"'.procs[] | {number, name, core, tid, frames, bursts, copy} | lines'
}

shown_rest() {
	words -j vswitch s | jq -r "$lines"'.objects[0] | {friendly_name, id: .name,
		device_id: (.extensibility.device_id | ltrimstr("{") | rtrimstr("}")), ports: .n_vports} | lines'
	words -j fdb s | jq -r "$lines"'.objects[0] | ({stations: .n_stations, max_stations} | lines),
		(.stations | sort_by(.mac)[] | "\(.mac | mac) \(.vlan) \(.type | ascii_downcase) \(.name)"),
		(.counters | {learned, moved, aged, flushed, forgotten, refused, busy, pinned} | lines)'
	words -j proc 0 | jq -r "$lines"'.objects[0] | {number, name, core, tid: .thread.tid,
		frames: .work.frames, bursts: .work.bursts, copy: .copy_primitives} | lines'
}

# --- one that runs -----------------------------------------------------------------------------

start --procs 1
target=(-r "$RUN")
ctl switch add s internal >/dev/null
ctl switch set s friendly-name "Another Version" >/dev/null
ctl port add vm1 switch s vhost vm1.sock server mac 02:00:00:00:00:01 >/dev/null
ctl port add vm2 switch s vhost vm2.sock server >/dev/null
ctl port add t1 switch s tap t1 >/dev/null
ctl port add t2 switch s tap t2 >/dev/null
ctl port set vm1 dhcp-guard on arp-guard on address 10.0.0.0/8,fe80::1 mirror source session 3 >/dev/null
ctl port set vm2 storm-limit 100000 router-guard on >/dev/null
ctl port set t1 vlan trunk 5-11,200 native 5 ieee-priority on friendly-name "a name with an ö" >/dev/null
ctl port set t2 vlan access 7 mac 02:00:00:00:00:07 mirror destination session 3 >/dev/null
ip link set t1 up
ip link set t2 up

frames=30000
guests=()
guest vm2 02:00:00:00:00:02
attached() { [[ $(counter vm2 state) == Connected ]]; }
until_true 10 attached || fail "vm2 is not attached: $(cat "$T/vm2.log")"
guest vm1 02:00:00:00:00:01 --to 02:00:00:00:00:02 --send $frames --rate 10000 --size 64-1500
sent() { (($(counter vm1 rx_frames) >= $1)); }
until_true 20 sent 100 || fail "no frames flow: $(cat "$T"/vm?.log)"

# Under traffic nothing is taken for damage, and numbers grow.
for command in vswitch "vswitch s" vport "vport vm1" "vport t1" vnic "vnic vm1" "vnic t1" proc \
	"proc 0" fdb "fdb s" drops where "where 0" ring "ring vm1" "ring vm2" vnbl vmq miniport mopen \
	lm lmi "dt vport vm1" "dt -r vnic vm1" "dt proc 0" "top -d 0.2"; do
	# shellcheck disable=SC2086 # words
	words $command >"$T/out"
	[[ -s $T/out ]] || fail "$command shows nothing"
done
until_true 20 sent $frames || fail "frames are missing: $(cat "$T"/vm?.log)"

# What is dropped leaves records, whose bytes are elsewhere and fewer.
for ((i = 0; i < 40; i++)); do
	frame 02:00:00:00:00:02 02:00:00:00:02:02 8100012c 120
done | send host t1
frame 01:80:c2:00:00:0e 02:00:00:00:02:02 88cc 64 | send host t1
dropped() { [[ $(drops t1 in BridgeReserved) == 1 ]]; }
until_true 5 dropped || fail "the frame is not dropped"
words vnbl >"$T/out"
[[ $(grep -c '^    VNBL .* t1 ' "$T/out") == 32 ]] || fail "not 32 records: $(cat "$T/out")"
row=$(grep -E '^    VNBL +[0-9a-f]{16}  0 +[0-9]+ +.* 64 +.* t1 +In +BridgeReserved +Ethernet$' "$T/out") ||
	fail "the last one is not shown: $(cat "$T/out")"
words vnbl -x "$(awk '{ print $2 }' <<<"$row")" >"$T/out"
for row in "Reason  *19 \(BridgeReserved\).*" "Ethernet  *02-00-00-00-02-02 > 01-80-C2-00-00-0E, .*" \
	"0000  01 80 c2 00 00 0e 02 00-00 00 02 02 88 cc .*"; do
	grep -qE "^    $row" "$T/out" || fail "no '$row' in: $(cat "$T/out")"
done

# At rest all agrees.
agrees() {
	diff <("said_$1" | sort) <("shown_$1" | sort) >&2 || fail "$1: what it says of itself (<) is not what is shown (>)"
	(($("said_$1" | wc -l) >= $2)) || fail "too little is compared: $("said_$1")"
}
agrees ports 60
agrees policies 25
agrees rest 20

# What is not there is said to be so, and what is new is shown.
words vport vm1 | grep -qE '^    Created +\[Missing in this vswd\]$' || fail "vport: $(words vport vm1)"
words vport vm2 | grep -qE '^    Router guard +\[Missing in this vswd\]$' || fail "vport: $(words vport vm2)"
words vnic vm1 | grep -qE '^    Retries +\[Missing in this vswd\]$' || fail "vnic: $(words vnic vm1)"
words proc 0 | grep -qE '^    Timed sleeps +\[Missing in this vswd\]$' || fail "proc: $(words proc 0)"
words fdb s | grep -qE '^    Evicted +\[Missing in this vswd\]$' || fail "fdb: $(words fdb s)"
[[ $(words -j vport vm1 | jq -c '.objects[0].state | [.created, .created_unix_s]') == '[null,null]' ]] ||
	fail "vport in JSON: $(words -j vport vm1)"
equal "$(words -j lmi | jq .fields_missing)" 11 "the missing fields, one of them in six structs, one in two"
equal "$(sed -n "s/^vswsh: .* struct \([a-z_]*\) has no field '\(.*\)'$/\1.\2/p" "$T/complaints" |
	sed 's/^[a-z]*\.nic\./nic./; s/^vnic\./nic./; s/^policy\.//' | sort -u | xargs)" "$missing" "the fields said to be missing"
words lmi | grep -qE '^    Load Report: type data, .* read by field name: version 0\.0\.9, vswsh is ' ||
	fail "lmi: $(words lmi)"
policy=$(words -j vport vm1 | jq -r '.objects[0].policy.policy')
words dt policy "$policy" >"$T/out"
for row in 'new_field +: \[5\] all 0x0' 'n_macs +: .*1' 'storm_fps +: .*0'; do
	grep -qE "^   \+0x[0-9a-f]{3} $row" "$T/out" || fail "no '$row' in: $(cat "$T/out")"
done

# --- stopped, its core and its dump ------------------------------------------------------------

everything() {
	local command port
	for command in vswitch "vswitch s" vport vnic vnbl "vnbl 0" drops "drops s" "drops t1" proc "proc 0" \
		"fdb s" "fdb vm1" where "where 0" ring "ring vm1" "ring vm2" vmq qosline extension \
		miniport mopen lmi "dt policy $policy" "dt -r vswitch s" "dt proc 0"; do
		echo "> $command"
		# shellcheck disable=SC2086 # words
		words $command
	done
	for port in $ports; do
		for command in vport vnic "dt -r vport" "dt -r vnic"; do
			echo "> $command $port"
			# shellcheck disable=SC2086 # words
			words $command "$port"
		done
	done
}

# What a dump leaves out.
without_guests() {
	sed -E 's/^(    Available +guest at )([0-9]+|\[not in the dump\]),/\1GUEST,/
		s/^(    Used +in memory )([0-9]+|\[not in the dump\]),/\1GUEST,/
		s/^(RING .* the guest +[0-9]+) +(\[Not there\]|\S+) +(\[Not there\]|\S+) +/\1 GUEST /
		s/^( *VNBL .*) (\[Not there\]|Ethernet.*)$/\1 FRAME/'
}

trap 'status=$?; kill -CONT "$pid" 2>/dev/null || :; on_exit $status' EXIT # it is asked there
agrees_stopped() { diff "$T/said" <({ shown_ports; shown_policies; shown_rest; } | sort) >&2; }
{ said_ports; said_policies; said_rest; } | sort >"$T/said"
kill -STOP "$pid"
stands() { [[ $(<"/proc/$pid/stat") == *") T "* ]]; }
until_true 5 stands || fail "it does not stop"
everything >"$T/stopped"
agrees_stopped || fail "the stopped process shows something else"
(($(wc -l <"$T/stopped") > 1000)) || fail "too little is compared"
if command -v gcore >/dev/null; then
	gcore -o "$T/gcore" "$pid" >"$T/gcore.log" 2>&1 || fail "gcore: $(cat "$T/gcore.log")"
	target=(-z "$T/gcore.$pid")
	everything | diff "$T/stopped" - || fail "the core shows something else"
	agrees_stopped || fail "the core does not agree"
fi
target=(-p "$pid")
words dump "$T/dump" >/dev/null
target=(-z "$T/dump")
everything | without_guests | diff <(without_guests <"$T/stopped") - || fail "the dump shows something else"
agrees_stopped || fail "the dump does not agree"

kill -CONT "$pid"
kill -KILL "${guests[@]}"
finish
