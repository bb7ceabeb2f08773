#!/usr/bin/env bash
# Hundreds of looks at a vswd at full load, with every command: nothing that is printed is
# nonsense, most looks find it at work, and it goes on forwarding. How little it costs is not asked
# here, for that takes a quiet machine: bench/inspect.sh.
source "$(dirname "$0")/../functional/lib.sh"

command -v python3 >/dev/null || { echo "python3 is missing"; exit 77; }
mapfile -t cores < <(seq 0 1023 | while read -r core; do
	! taskset -c "$core" true 2>/dev/null || echo "$core"
done)
((${#cores[@]} > 1)) || { echo "one core alone: guests and switch cannot work at once"; exit 77; }

# So deep rings that the switch is still at work while the shell has the guests' core.
start --procs "${cores[-1]}" --poll always
ctl switch add s private >/dev/null
for name in p1 p2 nobody; do
	ctl port add $name switch s vhost $name.sock server >/dev/null
done
ctl port add tap switch s tap t-tap >/dev/null
ip link set t-tap up
ctl acl add p1 basic direction both local any-mac action allow >/dev/null
ctl switch add int internal >/dev/null
taskset -c "${cores[0]}" "$build/bench/vswbench" rate --static --macs 100 --ring 16384 \
	--no-ceiling --seconds 1h --core "${cores[0]}" --client --guest "$RUN/p1.sock" \
	--guest "$RUN/p2.sock" --watch "$pid" >"$T/vswbench.log" 2>&1 &
guests=$!
disown
learned() { "$vswsh" -p "$pid" fdb s | grep '^    Stations  *200 of' >/dev/null; }
until_true 20 learned || fail "the guests are not heard: $("$vswsh" -p "$pid" fdb s)"

taskset -c "${cores[0]}" timeout 100 python3 -B "$tests/../bench/inspect_run.py" --vswsh "$vswsh" \
	--pid "$pid" --samples "$T/samples" --nonsense "$T/nonsense" --frame 64 \
	--macs '02-67-0[01]-00-00-..' --count 800 --rounds 4 >"$T/sums" 2>"$T/inspect.log" ||
	fail "the inspections ended early"
[[ ! -s $T/nonsense ]] || fail "of $(<"$T/sums"): $(head -n 60 "$T/nonsense")"
jq -e '.inspections == 800 and .lines > 10000' "$T/sums" >/dev/null || fail "too little: $(<"$T/sums")"
matched() { (($(ctl -j acl show p1 | jq "[.rules[].frames] | min") > 1000)); }
matched || fail "its access list is idle: $(ctl acl show p1)"
jq -e '.with_frames >= 5' "$T/sums" >/dev/null || fail "it was hardly at work: $(<"$T/sums")"

# A tenth is what no machine's noise explains.
jq -es 'map(select(.metric == "rate")) |
	def median(name): map(select(.switch == name).value) | sort | .[length / 2 | floor];
	median("inspected") > median("quiet") / 10' "$T/samples" >/dev/null ||
	fail "looking at it slows it down: $(<"$T/samples")"
kill -KILL "$guests"
finish
