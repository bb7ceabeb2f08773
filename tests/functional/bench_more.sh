#!/usr/bin/env bash
# vswbench's tests of latency, of several guests, of the MAC table, of interruptions and of long
# times: each runs briefly against a real vswd, and finds what it is there to find. Nothing here
# depends on how fast the machine is.
#
#   vswbench's guests 0, 1, 2, 3 ----[ private switch s ]
source "$(dirname "$0")/lib.sh"

bench=$build/bench/vswbench
out=$T/out.json

# run EXIT GUESTS TEST [OPTION...]: the test must end with that code; its JSON is in $out. When it
# says that the machine stood still it could not measure, and gets another try.
run() {
	local want=$1 n=$2 got try i guests=() warm_up=(--warm-up 0.05)
	shift 2
	[[ $1 != fdb-capacity ]] || warm_up=() # it has none
	for ((i = 0; i < n; i++)); do
		guests+=(--guest "$T/$i.sock")
	done
	for try in 1 2 3 4 5; do
		got=0
		timeout 60 "$bench" "$@" "${guests[@]}" --no-ceiling --json "${warm_up[@]}" \
			>"$out" 2>"$T/bench.log" || got=$?
		if ((got == want)); then
			verdicts | grep -q "load was not offered" || break
		else
			verdicts | grep -qE "load was not offered|nothing goes through" || break
		fi
	done
	ended_with "$want" "$got" "$*"
}

verdicts() { jq -r '.verdicts[].text, .notes[]' "$out" 2>/dev/null; }

ended_with() {
	(($2 == $1)) || { cat "$out"; fail "vswbench $3 ended with $2, expected $1"; }
	holds ".ok == ($1 == 0) and .interrupted == ($1 == 130)"
}

# holds FILTER: what jq says of the output is true.
holds() {
	jq -e "$1" "$out" >/dev/null || { cat "$out"; fail "this does not hold: $1"; }
}

# says WORDS: a verdict or a note has them.
says() {
	verdicts | grep -q -- "$1" || { cat "$out"; fail "no verdict says: $1"; }
}

start
ctl switch add s private >/dev/null
for i in 0 1 2 3; do
	ctl port add p$i switch s vhost "$T/$i.sock" server >/dev/null
done

# --- latency: percentiles rise, loads are parts of the rate, single frames come through
run 0 2 latency --rate 20k --load 50,100 --seconds 0.2
holds '[.rows[].load_pct] == [50, 100] and .rows[0].offered_mpps < .rows[1].offered_mpps'
holds 'all(.rows[]; 0 < .p50_us and .p50_us <= .p90_us and .p90_us <= .p99_us and
	.p99_us <= .p999_us and .p999_us <= .max_us and .mean_us <= .max_us)'
holds 'all(.rows[]; .gap_max_us > 0)'
holds '.result | .idle_frames >= 20 and 0 < .idle_p50_us and .idle_p50_us <= .idle_max_us'
run 0 2 latency --seconds 0.05 --loss 30 --resolution 30 --repeats 1
holds '.result.zero_loss_mpps > 0 and [.rows[].load_pct] == [10, 50, 90]'

# --- mesh: each of the flows gets its part
run 0 4 mesh --rate 20k --seconds 0.3
holds '(.rows | length) == 4 and all(.rows[]; .sent_mpps > 0 and .rx_mpps > 0 and .foreign == 0)'
holds '.result | .flow_min_mpps > 0 and .flow_min_mpps <= .flow_max_mpps and .fairness_pct > 50'
run 0 3 mesh --seconds 0.05 --loss 30 --resolution 30 --repeats 1
holds '.result | .max_mpps > 0 and .zero_loss_mpps > 0'

# --- broadcast: three copies of each frame
run 0 4 broadcast --rate 10k --seconds 0.3
holds 'all(.rows[]; .out_mpps > 2 * .in_mpps and .in_mpps > 0 and .mean_us > 0)'

# --- congestion: no harm to the third flow here, but with a back end that waits for room
run 0 4 congestion --rate 10k --seconds 0.4 --ring 256 --loss 10
holds '.result | .congested_loss_pct > 50 and .third_loss_pct <= 10 and .third_p50_us > 0'
says "no head-of-line blocking"
if (($(nproc) > 1)); then
	run 1 0 congestion --null --ports 4 --rate 10k --seconds 0.8 --ring 256 --loss 5 --repeats 2
	says "^head-of-line blocking"
fi

# --- the MAC table: as many stations as the port may have, and no fewer
ctl port set p1 max-stations 300 >/dev/null
run 0 3 fdb-capacity --stations 600 --resolution 0.5
holds '.result.stations > 250 and .result.stations <= 300'
holds 'all(.rows[]; .stations <= 300 or .flooded > 0)'
run 0 3 fdb-capacity --stations 200
holds '.result.stations == 200'
says "all 200"
run 0 3 fdb-rate --stations 200 --learn-pps 100k
holds '.result | .learn_pps > 0 and .learn_pps <= 100000 and .stations == 200'
says "fit into a ring"
run 1 3 fdb-rate --stations 400
says "not know 400 stations"
ctl port set p1 max-stations 0 >/dev/null
# A station that the switch does not forget, whatever happens to its guest.
ctl port set p1 mac 02:67:01:00:00:01 mac-spoofing on >/dev/null
run 1 3 fdb-rate --stations 2 --learn-pps 100k
says "still knows"
ctl port set p1 mac none >/dev/null

# --- blackout: another port comes and goes, and no frame is lost
# (Where the machine itself stands still, frames are lost: so one time out of some is enough.)
change_another() {
	run 0 2 blackout --rate 20k --seconds 0.6 --command "
		$vswctl -r $RUN port add other switch s tap t-other
		$vswctl -r $RUN port remove other"
	holds '.result | .command_exit == 0 and .command_ms > 0 and .reconnects == 0 and .late == 0'
	says "traffic came back"
	! ctl show ports other >/dev/null 2>&1 || fail "the command did not run to its end"
	jq -e '.result | .lost + .refused == 0' "$out" >/dev/null
}
until_true 30 change_another || fail "frames are lost whenever another port changes"

# A command that fails, and one that does not end; the switch stands still while one runs.
run 0 2 blackout --rate 20k --seconds 0.3 --command 'cat; exit 7'
holds '.result | .command_exit == 7 and .command_ms > 0'
run 0 2 blackout --rate 20k --seconds 0.3 --command 'exec sleep 5'
holds '.result | .command_exit == null and .command_ms == null'
run 0 2 blackout --rate 20k --seconds 0.9 --ring 256 --command "
	kill -STOP $pid; sleep 0.4; kill -CONT $pid"
holds '.result | .gap_ms > 300 and .blackout_ms > 100 and .refused > 0'

# Killed and started again, as its guests see it: they wait, and go on where they were.
for i in 0 1; do
	ctl port remove p$i >/dev/null
	ctl port add q$i switch s vhost "$T/q$i.sock" client >/dev/null
done
disown "$pid"

# dies_and_returns SECONDS: false when it was not back before the measuring ended.
dies_and_returns() {
	local got=0
	timeout 120 "$bench" blackout --server --guest "$T/q0.sock" --guest "$T/q1.sock" \
		--no-ceiling --json --rate 20k --seconds "$1" --timeout 60 --command "
		kill -KILL $(<"$RUN/vswd.pid")
		flock -w 30 $RUN/vswd.pid true
		$vswd -r $RUN -s $STATE --no-huge </dev/null >>$T/vswd.log 2>&1 &" \
		>"$out" 2>"$T/bench.log" || got=$?
	ended_with 0 $got "blackout by kill -9"
	says "traffic came back"
	! verdicts | grep -q "after the measured time"
}
dies_and_returns 3 || dies_and_returns 30 || fail "vswd was away for half a minute"
holds '.result | .command_exit == 0 and .reconnects >= 2 and .blackout_ms > 0 and .gap_ms > 0'
holds 'all(.rows[]; .received > 0 and .blackout_ms > 0)'

# The new vswd is nobody's child here.
pid=$(<"$RUN/vswd.pid")
kill "$pid"
gone() { [[ ! -e $RUN/vswd.pid ]]; }
until_true 10 gone || fail "the restarted vswd does not end"
start
ctl port remove q0 >/dev/null
ctl port remove q1 >/dev/null
for i in 0 1; do
	ctl port add p$i switch s vhost "$T/$i.sock" server >/dev/null
done

# --- soak: a row for each interval, and a switch that stands still does not pass
run 0 2 soak --rate 20k --seconds 0.6 --interval 0.2 --loss 30
holds '(.rows | length) == 3 and ([.rows[].elapsed_s] | . == sort)'
holds 'all(.rows[]; .rss_mb > 0 and .huge_mb == 0 and .cpu_pct >= 0 and .p50_us > 0 and .gap_max_us > 0)'
holds '.result | .offered > 0 and .p50_us > 0 and .memory_growth_mb < 100'
under_way() { (($(counter p0 rx_frames) > before + 4000)); }
before=$(counter p0 rx_frames)
(until_true 30 under_way; kill -STOP "$pid"; sleep 0.6; kill -CONT "$pid") &
run 1 2 soak --rate 20k --seconds 3 --interval 0.5 --ring 256
wait $!
holds '.result | .missing > 0 and .worst_loss_pct > 20'
says "refused or lost"

# Ctrl-C, and what there was until then.
got=0
timeout --preserve-status -s INT 1.5 "$bench" soak --rate 20k --seconds 1h --interval 0.2 \
	--no-ceiling --json --guest "$T/0.sock" --guest "$T/1.sock" >"$out" 2>"$T/bench.log" || got=$?
((got == 130)) || fail "soak ended with $got after Ctrl-C"
holds '.interrupted and (.rows | length) >= 2 and .result.offered > 0'

# Without a command there is nothing to measure.
got=0
"$bench" blackout --guest "$T/0.sock" --guest "$T/1.sock" >"$out" 2>"$T/err" || got=$?
((got == 2)) || fail "blackout without a command ended with $got"
grep -q -- "--command" "$T/err" || fail "the error does not name --command: $(cat "$T/err")"
finish
