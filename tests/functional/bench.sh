#!/usr/bin/env bash
# vswbench against a real switch, in both socket roles: what its tests report, that frames are
# checked and counted, and each way in which it can go wrong.
source "$(dirname "$0")/lib.sh"

(($(nproc) >= 2)) || { echo "switch and generator need a core each"; exit 77; }
vswbench=$build/bench/vswbench
[[ -x $vswbench ]] || fail "$vswbench is not built"
out=$T/out.json

# bench CODE ARGUMENT...: its JSON is in $out afterwards, what it said in $T/err.
bench() {
	local want=$1 code=0
	shift
	timeout -k 5 60 "$vswbench" "$@" -j >"$out" 2>"$T/err" || code=$?
	if [[ $want == any ]]; then
		# A noisy machine may fail a test; then its verdicts say so.
		((code <= 1)) || fail "vswbench $*: ended with $code: $(cat "$T/err")"
		want=$(jq 'if .ok then 0 else 1 end' "$out")
	fi
	((code == want)) || fail "vswbench $*: ended with $code, expected $want: $(cat "$T/err" "$out")"
}

# holds FILTER: true for the JSON of the last run.
holds() { jq -e "$1" "$out" >/dev/null || fail "not so: $1: $(cat "$out")"; }
value() { jq "$1" "$out"; }

all_good() {
	holds '.result | .checked > 0 and .bad == 0 and .late == 0 and .foreign == 0'
	holds '.ok and (.interrupted | not)'
}

start
ctl switch add s private >/dev/null
ctl switch set s mtu 9000 >/dev/null
for n in 0 1 2 3; do
	ctl port add "p$n" switch s vhost "$T/$n.sock" server >/dev/null
	ctl port add "c$n" switch s vhost "$T/c$n.sock" >/dev/null
done
two=(--guest "$T/0.sock" --guest "$T/1.sock")
quick=(--no-ceiling --warm-up 0.05 --timeout 10)
short=("${quick[@]}" --seconds 0.1)
# Searches that end soon, and pass on any machine.
easy=("${short[@]}" --loss 50 --resolution 50 --repeats 3)

# --- rate: what it reports, and that it agrees with the switch's own counters ------------------

# sum FILTER: over the ports that guests use.
sum() { ctl -j show ports | jq "[.ports[] | select(.name | test(\"^[pc]\")) | $1] | add"; }
dropped='.drops_out.Resources // 0'

# counted ARGUMENT...: a rate whose frames the switch counts as well. A guest that gets no
# processor for a while has no room in its ring, so frames may be dropped for that.
counted() {
	local rx tx drops handed received greetings
	rx=$(sum .rx_frames) tx=$(sum .tx_frames) drops=$(sum "$dropped")
	bench 0 rate --verify "${short[@]}" "$@"
	all_good
	rx=$(($(sum .rx_frames) - rx)) tx=$(($(sum .tx_frames) - tx))
	drops=$(($(sum "$dropped") - drops))
	handed=$(value '.result.total_handed | floor') received=$(value '.result.total_received | floor')
	((handed > 100)) || fail "$*: only $handed frames were sent"
	equal "$(value '.result.lost | floor')" "$drops" "$*: lost frames, against dropped ones"
	equal $((handed - received)) "$drops" "$*: frames that did not arrive, against dropped ones"
	# The switch counts greetings, too: some before the traffic, each for one other guest.
	greetings=$((rx - handed))
	((greetings >= 2 && greetings < 5000 && tx > received && tx - received <= greetings)) ||
		fail "$*: $handed frames handed over, $rx counted; $tx counted, $received received"
}

counted "${two[@]}"
holds '.test == "rate" and .switch.name == "vswd" and .settings.size == 64 and .settings.guests == 2'
equal "$(value .switch.pid)" "$pid" "the process of the switch"
equal "$(value '.switch.guest_roles | join(" ")')" '"client client"' "roles"
equal "$(value '[.rows[].label] | join(",")')" '"0 -> 1,1 -> 0"' "directions"
holds '.ceiling_mpps == null and ([.rows[] | .rx_mpps >= 0] | all)'
holds '.result | .idle_pct >= 0 and .gbps >= 0'
bench 0 rate "${quick[@]}" --seconds 1 --watch "$pid" "${two[@]}"
all_good
holds '.result | .cycles_per_frame > 0 and .switch_cpu_pct > 0 and .switch_waited_pct >= 0'
counted --server --guest "$T/c0.sock" --guest "$T/c1.sock"
equal "$(value '.switch.guest_roles | join(" ")')" '"server server"' "roles"
equal "$(value .switch.pid)" "$pid" "the process of the switch that connects"
[[ ! -e $T/c0.sock ]] || fail "a socket of vswbench's own is left"
counted --size imix --server --guest "$T/c1.sock" --client --guest "$T/1.sock"
equal "$(value '.switch.guest_roles | join(" ")')" '"server client"' "roles"
counted --size 9000 --one-way "${two[@]}"
equal "$(value '[.rows[].label] | join(",")')" '"0 -> 1"' "directions"
for n in 0 1; do
	ctl port set "p$n" vlan trunk 5 ieee-priority on
done
counted --vlan 5 --pcp 3 --size 65 --src-macs 10 --dst-macs 20 "${two[@]}"
counted --rx-buffer 256 --size 1518 --chain 4 --ring 256 --rate 20k "${two[@]}"
holds '.result.rx_mpps < 0.03 and .settings.rate_pps == 20000'
holds '.result | .offered_mpps > 0 and .offered_mpps < 0.021 and .skipped >= 0'
holds '.result.cycles_per_frame == null'
for kind in static stamp touch; do
	bench 0 rate "--$kind" "${short[@]}" --seconds 0.3 "${two[@]}"
	all_good
	holds ".settings.kind == \"$kind\""
done
bench 0 rate --stamp --mesh --macs 3 "${short[@]}" --guest "$T/2.sock" "${two[@]}"
all_good
equal "$(value '[.rows[].label] | join(",")')" '"guest 0,guest 1,guest 2"' "guests"

# The ceiling stands beside it; without a switch it is the result.
bench 0 rate "${two[@]}" --seconds 0.1 --warm-up 0.05
holds '.ceiling_mpps > 0 and .result.ceiling_pct >= 0 and ([.rows[].ceiling_mpps > 0] | all)'
bench 0 rate --null --seconds 0.1
holds '.switch.name == "null" and .result.rx_mpps > 0 and .settings.guests == 2'
bench 0 rate --null --seconds 0.1 --ports 4 --touch --mesh --size 570
holds '.result.rx_mpps > 0 and (.rows | length) == 4'

# Text for people: rows and results, nothing on stderr.
timeout 60 "$vswbench" rate "${two[@]}" --seconds 0.1 >"$T/text" 2>"$T/err" || fail "rate, as text"
[[ ! -s $T/err ]] || fail "stderr: $(cat "$T/err")"
for word in "RFC 2285" ceiling "0 -> 1" Mpps Gbit/s "cycles per frame" vswd; do
	grep -q -- "$word" "$T/text" || fail "the text has no '$word': $(cat "$T/text")"
done

# --- the searches ------------------------------------------------------------------------------

bench any throughput "${easy[@]}" "${two[@]}"
holds '.rows[0].label == "full load" and .rows[0].offered_mpps == null and (.rows | length) >= 3'
holds '.result | .max_mpps >= 0 and .zero_loss_mpps >= 0'
holds '[.rows[1:][] | select(.label == "passed") | .loss_pct <= 50] | all'
# A rate that is easy to carry is its own result, and the first trial.
bench any throughput "${easy[@]}" --rate 10k --stamp "${two[@]}"
holds '.rows[0].offered_mpps < 0.011 and .result.zero_loss_mpps <= 0.01'

bench any loss "${short[@]}" --loss 50 --rate 20k "${two[@]}"
holds '.rows[0].label == "100 %" and .rows[1].label == "90 %" and (.rows | length) <= 10'
holds '.result | .max_mpps == 0.02 and .loss_pct >= 0'

bench 0 burst "${easy[@]}" --repeats 2 --rate 100k "${two[@]}"
holds '(.rows | length) == 2 and .rows[0].label == "search 1" and .result.limit_frames == 5000'
holds '.result | .burst_min_frames >= 0 and .burst_frames >= .burst_min_frames'

bench any overload "${easy[@]}" --rate 100k --load 50,200 --load 400% "${two[@]}"
holds '([.rows[].load_pct] == [50, 200, 400]) and (.verdicts | length) >= 1'
holds '.result.best_mpps as $best | [.rows[].rx_mpps <= $best] | all'
# All percentages are of the one best rate, and a load that was not offered has none.
holds '.result.best_mpps as $best | .rows | map(if .label == "offered"
	then .goodput_pct - 100 * .rx_mpps / ([.offered_mpps, $best] | min) | -0.1 < . and . < 0.1
	else .goodput_pct == null end) | all'

# What was allowed stands beside what was found.
holds '.settings | .loss_allowed_pct == 50 and .resolution_pct == 50 and .repeats == 3'
holds '.settings.loads_pct == [50, 200, 400]'
timeout 60 "$vswbench" throughput "${easy[@]}" --loss 5 --rate 10k "${two[@]}" >"$T/text" || :
for words in "loss_allowed_pct 5.0" "Highest rate with at most 5 % loss"; do
	grep -q -- "$words" "$T/text" || fail "the text has no '$words': $(cat "$T/text")"
done
! grep -qE '^[A-Z.].* without loss' "$T/text" || fail "5 % of loss are called none: $(cat "$T/text")"

# --- faults are found --------------------------------------------------------------------------

# verdict PATTERN: a bad one that says so.
verdict() {
	jq -e --arg re "$1" '[.verdicts[] | select(.ok | not) | .text | test($re)] | any' "$out" \
		>/dev/null || fail "no bad verdict says '$1': $(cat "$out")"
}

# A table that is too small makes the switch flood.
ctl switch add small private >/dev/null
ctl switch set small stations 16 >/dev/null
for n in 0 1 2 3; do
	ctl port add "s$n" switch small vhost "$T/s$n.sock" server >/dev/null
done
bench 1 rate --stamp --macs 500 "${short[@]}" --guest "$T/s0.sock" --guest "$T/s1.sock" \
	--guest "$T/s2.sock" --guest "$T/s3.sock"
verdict 'not for'
holds '.result.foreign > 0'
# Guests that only count see it in their samples.
bench 1 rate --static --macs 500 "${short[@]}" --seconds 0.5 --guest "$T/s0.sock" \
	--guest "$T/s1.sock" --guest "$T/s2.sock" --guest "$T/s3.sock"
verdict 'looked at came to a guest that they were not for'

# many FIRST LAST: so many guests more, in 'guests'.
many() {
	local n
	guests=()
	for ((n = $1; n <= $2; n++)); do
		guests+=(--guest "$T/none$n")
	done
}

# --- wrong usage -------------------------------------------------------------------------------

# wrong PATTERN ARGUMENT...: refused with a sentence, before anything is done.
wrong() {
	local pattern=$1 code=0
	shift
	timeout 20 "$vswbench" "$@" >"$T/text" 2>"$T/err" || code=$?
	((code == 2)) || fail "vswbench $*: ended with $code, expected 2: $(cat "$T/err")"
	[[ ! -s $T/text ]] || fail "vswbench $*: printed $(cat "$T/text")"
	grep -qE -- "$pattern" "$T/err" || fail "vswbench $*: '$(cat "$T/err")' has no '$pattern'"
	(($(wc -l <"$T/err") == 1)) || fail "vswbench $*: more than one line: $(cat "$T/err")"
}

touch "$T/file"
wrong 'which test'
wrong "no test 'speed'" speed "${two[@]}"
wrong "'loss' is too much" rate loss "${two[@]}"
wrong "unknown option '--fast'" rate --fast "${two[@]}"
wrong "unknown option '-x'" rate -x "${two[@]}"
wrong "'--size' needs a value" rate "${two[@]}" --size
wrong "'--touch=1' takes no value" rate "${two[@]}" --touch=1
for size in 63 9001 0 -1 64k '' imux 1e3; do
	wrong "--size: '$size'.*64 to 9000.*imix" rate "${two[@]}" --size "$size"
done
wrong '--ring: .1000. is not a power of two' rate "${two[@]}" --ring 1000
wrong '--ring: .32. is not' rate "${two[@]}" --ring 32
wrong '--chain: .3. is not a power of two' rate "${two[@]}" --chain 3
wrong '--rx-buffer: a frame of 9000 bytes' rate "${two[@]}" --size 9000 --rx-buffer 64 --ring 128
wrong '--size imix: .*--ring' rate "${two[@]}" --size imix --ring 64 --chain 16
echo "MemAvailable:     102400 kB" >"$T/meminfo"
mount --bind "$T/meminfo" /proc/meminfo
wrong 'buffers take 2[0-9]* MB, and 100 MB of memory are available' rate "${two[@]}" --ring 32768
umount /proc/meminfo
for rate in 0 -1 fast 1T 1.5.M inf nan 0x10; do
	wrong "--rate: '$rate' is not a rate like" rate "${two[@]}" --rate "$rate"
done
wrong "--seconds: '0' is not a time" rate "${two[@]}" --seconds 0
wrong "--seconds: '5d' is not a time" rate "${two[@]}" --seconds 5d
wrong '--vlan: .4095. is not a number from 1 to 4094' rate "${two[@]}" --vlan 4095
wrong '--pcp: .8. is not' rate "${two[@]}" --vlan 1 --pcp 8
wrong '--pcp: .*--vlan' rate "${two[@]}" --pcp 1
wrong '--macs: .0. is not' rate "${two[@]}" --macs 0
wrong '--loss: .51. is not a percentage from 0 to 50' throughput "${two[@]}" --loss 51
wrong '--load: .10,,50. is not a list' overload "${two[@]}" --load 10,,50
wrong '--loss means nothing to rate: it is not for rate' rate "${two[@]}" --loss 5
wrong '--resolution means nothing to loss' loss "${two[@]}" --resolution 5
wrong '--repeats means nothing to blackout' blackout "${two[@]}" --repeats 5 --command true
for option in macs src-macs dst-macs seconds loss; do
	wrong "--$option means nothing to fdb-rate" fdb-rate "${two[@]}" "--$option" 5
done
wrong '--warm-up means nothing to fdb-capacity' fdb-capacity "${two[@]}" --warm-up 1
wrong '--load means nothing to rate' rate "${two[@]}" --load 10
wrong '--stations means nothing to latency: it is for fdb' latency "${two[@]}" --stations 5
wrong '--touch and --static exclude' rate "${two[@]}" --touch --static
wrong 'exclude each other' rate "${two[@]}" --mesh --one-way
wrong '--static: latency needs' latency "${two[@]}" --static
wrong 'fixed in broadcast: leave out --mesh' broadcast "${two[@]}" --mesh
wrong 'rate needs 2 guests or more, and 0 are given' rate
wrong 'rate needs 2 guests or more, and 1 is given' rate --guest "$T/0.sock"
wrong 'congestion needs 4 guests' congestion "${two[@]}"
wrong '3 guests do not make pairs' rate "${two[@]}" --guest "$T/2.sock"
many 0 16
wrong 'at most 16 guests' rate "${guests[@]}"
wrong '--ports 4, but 2 guests' rate "${two[@]}" --ports 4
wrong '--null has no switch.*--guest' rate "${two[@]}" --null
wrong '--null: fdb-rate needs a real switch' fdb-rate --null
wrong 'blackout needs --command' blackout "${two[@]}"
wrong 'same socket' rate --guest "$T/0.sock" --guest "$T/0.sock"
wrong 'same socket' rate --guest "$T/0.sock" --guest "$T/../t/0.sock"
wrong 'is too long: .* 107 bytes' rate --guest "/$(printf 'x%.0s' {1..107})" --guest "$T/1.sock"
wrong 'guest 1: .*is no socket' rate --guest "$T/0.sock" --guest "$T/file"
wrong 'guest 0: .*is there already and is no socket' rate --server --guest "$T/file" --guest "$T/x"
wrong 'another program listens.*leave out --server' rate --server "${two[@]}"
[[ -f $T/file && -S $T/0.sock ]] || fail "vswbench removed a file that is not its own"
wrong '--core: core 999 is not there.*allowed: 0' rate "${two[@]}" --core 999
wrong '--core: .x. is not the number' rate "${two[@]}" --core x
wrong "--null-core: core 0 is the guests' own" rate "${two[@]}" --core 0 --null-core 0
wrong '--watch: there is no process' rate "${two[@]}" --watch 999999
one_core() { taskset -c 0 "$vswbench" "$@" >"$T/text" 2>"$T/err"; }
! one_core rate --null || fail "--null works on one core"
grep -q -- '--null needs two cores' "$T/err" || fail "one core: $(cat "$T/err")"

# On one core there is no ceiling, which is said; switch and generator have to take turns.
one_core rate --stamp --rate 1k --seconds 0.1 "${two[@]}" || fail "one core: $(cat "$T/text" "$T/err")"
grep -q 'needs a second core' "$T/text" || fail "one core: $(cat "$T/text")"

# --- no switch, or one that refuses ------------------------------------------------------------

# refused PATTERN ARGUMENT...
refused() {
	local pattern=$1
	shift
	bench 3 rate "${quick[@]}" "$@"
	[[ ! -s $out ]] || fail "vswbench $*: printed $(cat "$out")"
	grep -qE -- "$pattern" "$T/err" || fail "vswbench $*: '$(cat "$T/err")' has no '$pattern'"
}

# A socket that its program left behind.
socat "UNIX-LISTEN:$T/dead.sock" - </dev/null >/dev/null 2>&1 &
dead=$!
until_true 5 test -S "$T/dead.sock" || fail "socat makes no socket"
kill -9 "$dead"
wait "$dead" 2>/dev/null || :
# One that hangs up, and one that never answers.
socat "UNIX-LISTEN:$T/hangup.sock,fork" SYSTEM:true 2>/dev/null &
hangup=$!
socat -u "UNIX-LISTEN:$T/mute.sock,fork" "OPEN:$T/mute.out,creat" 2>/dev/null &
mute=$!
until_true 5 test -S "$T/hangup.sock" -a -S "$T/mute.sock" || fail "socat makes no sockets"

refused "guest 1, $T/none: there is no such socket" --timeout 0.1 --guest "$T/0.sock" --guest "$T/none"
refused 'guest 0, .*nobody listens' --timeout 0.1 --guest "$T/dead.sock" --guest "$T/1.sock"
refused 'guest 0, .*hung up during the handshake' --guest "$T/hangup.sock" --guest "$T/1.sock"
refused 'guest 0, .*nobody answers.*vhost-user' --guest "$T/mute.sock" --guest "$T/1.sock"
kill "$hangup" "$mute"
wait "$hangup" "$mute" 2>/dev/null || :
refused 'guest 0, .*did not connect' --timeout 0.1 --server --guest "$T/x0" --guest "$T/x1"
[[ ! -e $T/x0 && ! -e $T/x1 ]] || fail "sockets of vswbench's own are left"
refused 'directory for the socket does not exist' --server --guest "$T/no/x0" --guest "$T/x1"
refused 'does not offer packed rings' --packed "${two[@]}"
ctl port add old switch s vhost "$T/old.sock" server features 0x140000000 >/dev/null
refused 'guest 1, .*does not offer mergeable' --guest "$T/0.sock" --guest "$T/old.sock"
refused 'heard no other guest within 0.3 s.* Broadcasts have to pass, and frames of 64 bytes' --timeout 0.3 --guest "$T/0.sock" --guest "$T/s1.sock"
# Frames above the MTU.
refused 'heard no other guest.* frames of 3000 bytes' --timeout 0.3 --size 3000 \
	--guest "$T/s0.sock" --guest "$T/s1.sock"
drops=$(ctl -j show drops small)
grep -q MTUMismatch <<<"$drops" || fail "the switch dropped no frame for its length: $drops"
chmod 755 "$T"
if ! setpriv --reuid 65534 --regid 65534 --clear-groups "$vswbench" rate "${quick[@]}" "${two[@]}" \
	>"$T/text" 2>"$T/err"; then
	grep -qE 'guest 0, .*you may not connect: .*root.*0660' "$T/err" ||
		fail "without permission: $(cat "$T/err")"
else
	fail "anybody may attach to a port"
fi

# --- the end before the end --------------------------------------------------------------------

# under_way ARGUMENT...: starts it in the background and waits until frames run.
under_way() {
	local before
	before=$(counter p0 rx_frames)
	timeout 60 "$vswbench" "$@" "${quick[@]}" "${two[@]}" -j >"$out" 2>"$T/err" &
	running=$!
	frames_run() { (($(counter p0 rx_frames) > before + 20000)); }
	until_true 20 frames_run || fail "no frames run: $(cat "$T/err")"
}

# ends CODE: how it ended.
ends() {
	local code=0
	wait "$running" || code=$?
	((code == $1)) || fail "ended with $code, expected $1: $(cat "$T/err" "$out")"
}

# signal NAME: to vswbench itself, below timeout.
signal() { kill "-$1" "$(pgrep -x -P "$running" vswbench)"; }

for name in INT TERM; do
	under_way rate --seconds 50
	signal "$name"
	ends 130
	holds '.interrupted and .result.total_received > 20000 and .result.bad == 0 and .ok'
	holds '(.rows | length) == 2'
done
under_way throughput --seconds 50 --warm-up 0
signal INT
ends 130
holds '.interrupted and .test == "throughput"'

# Nothing to wait for any more: Ctrl-C ends that at once.
timeout 60 "$vswbench" rate --no-ceiling --timeout 50 --guest "$T/none" --guest "$T/1.sock" -j \
	>"$out" 2>"$T/err" &
running=$!
# Once it has a handler for SIGINT (bit 1).
waits() {
	local child
	child=$(pgrep -x -P "$running" vswbench) &&
		(($(sed -n 's/^SigCgt:\t/0x/p' "/proc/$child/status") & 2))
}
until_true 10 waits || fail "vswbench catches no SIGINT"
signal INT
ends 130
holds '.interrupted and .rows == []'

# The switch hangs up.
under_way rate --seconds 50
ctl port remove p1 >/dev/null
ends 1
verdict "hung up on guest 1 .*$T/1.sock"
holds '(.ok | not) and .result.total_handed > 0'

# --- help and manual say the same --------------------------------------------------------------

page=$tests/../bench/man/vswbench.1
"$vswbench" --help >"$T/help"
for test in rate throughput loss burst overload latency mesh broadcast congestion fdb-capacity \
	fdb-rate blackout soak; do
	grep -qE "^  $test  +[a-z].* \((RFC|ETSI) .*\)$" "$T/help" || fail "help lacks $test, or its source"
	"$vswbench" "$test" --help >"$T/text" || fail "vswbench $test --help"
	grep -q "^$test: [a-z].*\.$" "$T/text" || fail "the help of $test does not say what it is"
	grep -qE '^Source: (RFC|ETSI) ' "$T/text" || fail "the help of $test has no source"
done
"$vswbench" rate -h >"$T/text"
! grep -qe --stations -e --loss "$T/text" || fail "the help of rate has an option that is not for it"
"$vswbench" --version | grep -qx 'vswbench [0-9.]*' || fail "vswbench --version"
in_help() {
	sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' "$T/help"
	grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' "$T/help" | grep -oE -- '--[a-z-]+'
}
in_manual() {
	sed -n 's/^\.It Cm \([a-z][a-z-]*\)$/\1/p' "$page"
	sed -n 's/^\.It Fl \([a-zA-Z] , \)\{0,1\}-\([a-z-]*\).*/--\2/p' "$page"
}
(($(in_help | wc -l) >= 50)) || fail "too little is found in the help"
diff <(in_help | sort) <(in_manual | sort) >"$T/text" ||
	fail "help (<) and manual (>) differ: $(cat "$T/text")"
finish
