# shellcheck shell=bash disable=SC2154
#
# Takes samples of the switch that runs: one line of JSON each, appended to the file 'samples', in
# the form that benchstat reads. Says what it does and how long it will take.
#
# For bench/compare, after switches.sh; uses its settings.

failures=()          # "switch point: what went wrong"
declare -A notes=()   # what peers did wrong and were measured all the same, by "switch point"
declare -A reference=() # frames per microsecond of 100 % load, by latency point
declare -A reference_text=() # how it was found
reference_switch=''
running='' # the switch that was started last
tool=()    # the command that measures
planned_ms=0 done_ms=0 rounds_from=0 rounds_done=0
drawn=0 # lines of the live table on the terminal

# --- one point -----------------------------------------------------------------------------

# measure ROUND SWITCH POINT
measure() {
	case $3 in
	latency,*) [[ ! ${reference[$3]:-} ]] || take "$@" latency_tool take_latency ;;
	tap,*) take "$@" tap_tool take_rate ;;
	*) take "$@" rate_tool take_rate ;;
	esac
	done_ms=$((done_ms + $(cost_ms "$3")))
}

# These set 'tool': the command that measures a point of the switch that runs.
rate_tool() {
	local args
	read -ra args <<<"$(point_args "$1")"
	tool=("$vswbench" rate "${args[@]}" --seconds "$seconds" "${guest_args[@]}")
}

# Percentiles at the same rates for all switches, and the host's own stalls meanwhile.
latency_tool() {
	tool=("$vswbench" latency --size "${1#latency,}" --rate "${reference[$1]}M" --load "$loads"
		--seconds "$seconds" "${guest_args[@]}")
}

tap_tool() {
	tool=("$tapbench" -j --core "$SW_GUEST_CORE" --size "${1#tap,}" --seconds "$seconds"
		--timeout 20 ${sw_watch[0]+--watch "${sw_watch[0]}"} "${sw_ends[@]}")
}

# What the generator can do alone, with a thread that does nothing as the switch.
ceiling_tool() {
	local args
	read -ra args <<<"$(point_args "$1")"
	tool=("$vswbench" rate -j --null --ports 2 --core "$SW_GUEST_CORE" --null-core "$SW_CORE"
		"${args[@]}" --warm-up 0.1 --seconds 0.2 "${bench_args[@]}")
}

# take ROUND SWITCH POINT TOOL TAKER: runs the command of TOOL and has TAKER make samples of its
# output. Again when others kept switch or guests from running: then the sample is disturbed, or
# nothing came through in time, and the switch is started anew. After some tries it is taken as it
# is.
take() {
	local switch=$2 point=$3 try status from before taken='' most=$tries
	[[ $point != latency,* ]] || most=2 # it takes long
	for ((try = 1; ; try++)); do
		"$4" "$point"
		from=${EPOCHREALTIME/./} before=$(switch_waited_ns) status=0
		run_tool || status=$?
		tool_waited_pct=$((($(switch_waited_ns) - before) / 10 / (${EPOCHREALTIME/./} - from)))
		if ((status == 0)) || is_noted "$status" "$switch" "$point"; then
			"$5" "$1" "$switch" "$point"
			is_disturbed || return 0
			taken=1 status=0
		elif ((status == 1 && tool_waited_pct < disturbed_pct)); then
			taken='' # it was the switch's own doing
			break
		fi
		((try < most && SECONDS < budget)) || break
		((status == 0)) || start_again "$switch $point: $(verdict)"
	done
	[[ $taken ]] || fail_point "$switch $point" "$(verdict)"
}

# A peer that damages or reorders frames forwards them all the same: its figure stands, with a note.
is_noted() {
	[[ $1 == 1 && $2 =~ ^(ovs|testpmd|bridge) ]] || return 1
	jq -e '.result.rx_mpps // .rows[0].p50_us' "$SW_WORK/out" >/dev/null 2>&1 || return 1
	notes[$2 $3]=$(verdict)
}

start_again() {
	say "$1; once more"
	[[ $running ]] || return 0
	end_switch
	start_measured "$running"
}

# How long the switch's polling thread, which ran and waited the most, was kept from running.
switch_waited_ns() {
	[[ ${sw_watch[0]+there} ]] || { echo 0; return; }
	awk '$1 + $2 > most { most = $1 + $2; waited = $2 } END { printf "%d", waited }' \
		/proc/"${sw_watch[0]}"/task/*/schedstat 2>/dev/null || :
}

# take_latency ROUND SWITCH POINT: appends the samples that are in $SW_WORK/out.
take_latency() {
	jq -c --argjson round "$1" --arg switch "$2" --arg size "${3#latency,}" \
		--argjson waited "$tool_waited_pct" --argjson seconds "$seconds" --argjson limit "$disturbed_pct" '
		def sample($point; $metric; $value; $disturbed; $more):
			select($value != null) | {round: $round, switch: $switch, point: $point,
				metric: $metric, value: $value, unit: "us", disturbed: $disturbed} + $more;
		($waited >= $limit) as $kept_waiting |
		(.rows[] | . as $row | {load_pct, offered_mpps, loss_pct} as $more |
			($kept_waiting or .gap_max_us >= $limit * 1e4 * $seconds) as $disturbed |
			["p50", "p90", "p99", "p999", "gap_p999", "gap_max"][] |
			sample("\($size)@\($row.load_pct)%"; if startswith("gap") then . else "latency_" + . end;
				$row[. + "_us"]; $disturbed; $more)),
		(.result |
			sample("\($size) after quiet"; "latency_p50"; .idle_p50_us; $kept_waiting; {}),
			sample("\($size) after quiet"; "latency_p90"; .idle_p90_us; $kept_waiting; {}))
		' "$SW_WORK/out" >"$SW_WORK/sample"
	cat "$SW_WORK/sample" >>"$samples"
	tell_sample "$1" "$2" "$3" "p50 $(jq -rs '
		map(select(.metric == "latency_p50" and .load_pct)) | map("\(.value * 100 | round / 100)") |
		join(" / ")' "$SW_WORK/sample") us"
}

# point_args 64,macs=10000,touch: options of vswbench.
point_args() {
	local part parts warm=0.2 macs
	IFS=, read -ra parts <<<"$1"
	printf -- '--size %s' "${parts[0]}"
	for part in "${parts[@]:1}"; do
		printf -- ' --%s' "${part/=/ }"
		[[ $part != macs=* ]] || macs=${part#macs=}
	done
	# A switch that learns by way of a slow path needs time for it, so all get that.
	((${macs:=1} < 1000)) || warm=1
	((macs < 10000)) || warm=2
	((macs < 100000)) || warm=5
	printf -- ' --warm-up %s' "$warm"
}

# What a point means, for those who read the samples.
point_keys() {
	local parts size
	IFS=, read -ra parts <<<"${1#tap,}"
	size=${parts[0]}
	[[ $size != imix ]] || size='"imix"'
	printf '{"size":%s' "$size"
	[[ $1 != *,macs=* ]] || printf ',"macs":%s' "$(sed 's/.*,macs=\([0-9]*\).*/\1/' <<<"$1")"
	[[ $1 != *,touch* ]] || printf ',"touch":true'
	printf '}'
}

# take_rate ROUND SWITCH POINT: appends the sample that is in $SW_WORK/out.
take_rate() {
	local metric=rate
	[[ $3 != tap,* ]] || metric=tap_rate
	jq -c --argjson round "$1" --arg switch "$2" --arg point "$3" --arg metric $metric \
		--argjson limit "$disturbed_pct" --argjson more "$(point_keys "$3")" '
		.result | {round: $round, switch: $switch, point: $point, metric: $metric,
			value: .rx_mpps, unit: "Mpps",
			disturbed: (([.waited_pct, .polling_waited_pct] | map(. // 0) | max) >= $limit),
			gbps, waited_pct, polling_waited_pct, idle_pct, cycles_per_frame} + $more
		' "$SW_WORK/out" >"$SW_WORK/sample"
	cat "$SW_WORK/sample" >>"$samples"
	tell_sample "$1" "$2" "$3" "$(jq -r '"\(.value * 1000 | round / 1000) Mpps"' "$SW_WORK/sample")"
}

is_disturbed() { grep -q '"disturbed":true' "$SW_WORK/sample"; }

# --- before the rounds ---------------------------------------------------------------------

measure_ceilings() {
	local point
	[[ " ${switches[*]} " =~ " "(vsw|ovs|testpmd)" " ]] || return 0
	for point in "${points[@]}"; do
		[[ $point == tap,* || $point == latency,* ]] ||
			take 1 generator "$point" ceiling_tool take_rate
	done
}

# 100 % load of the latency points is what the slowest kind of peer forwards without loss, but for
# what a stall of the host costs: two percent.
find_reference() {
	local name point
	for name in ovs testpmd vsw; do
		[[ " ${switches[*]} " == *" $name "* ]] && reference_switch=$name && break
	done
	[[ $reference_switch && " ${points[*]}" == *" latency,"* ]] || return 0
	start_measured "$reference_switch"
	for point in "${points[@]}"; do
		[[ $point != latency,* ]] || find_rate "$point"
	done
	end_switch
}

# A search ends too low when the host stalls at its wrong moment, so the best of some counts; when
# even that is far below what is forwarded at full load, it says nothing of the switch.
find_rate() {
	local try found='{"best":0,"full":0}'
	for ((try = 1; try <= searches; try++)); do
		tell "looking for the rate that $reference_switch forwards without loss, $1 ($try of $searches)"
		tool=("$vswbench" throughput --size "${1#latency,}" --seconds 0.2 --warm-up 0.05
			--resolution 4 --repeats 3 --loss 2 "${guest_args[@]}")
		run_tool || [[ -s $SW_WORK/out ]] || { start_again "$1: $(verdict)"; continue; }
		found=$(jq -c --argjson found "$found" '.result |
			{best: ([.zero_loss_mpps // 0, $found.best] | max),
			full: ([.max_mpps // 0, $found.full] | max)}' "$SW_WORK/out")
	done
	if jq -e '.full == 0' <<<"$found" >/dev/null; then
		fail_point "$reference_switch $1" "forwards nothing; $1 is left out"
		return
	fi
	reference[$1]=$(jq 'if .best < .full / 2 then .full * 0.7 else .best end |
		. * 1000 | round / 1000' <<<"$found")
	reference_text[$1]="what $reference_switch forwards with at most 2 % refused (stalls of the host)"
	jq -e '.best < .full / 2' <<<"$found" >/dev/null || return 0
	reference_text[$1]="70 % of what $reference_switch forwards at full load, for the host stalls too "
	reference_text[$1]+="often to find a rate without loss"
}

# --- helpers -------------------------------------------------------------------------------

# Runs 'tool'; its output is then in $SW_WORK/out. A signal ends both at once.
run_tool() {
	local status=0
	"${tool[@]}" >"$SW_WORK/out" 2>"$SW_WORK/err" </dev/null 9>&- &
	sw_tool=$!
	wait "$sw_tool" || status=$?
	sw_tool=''
	return $status
}

# start_measured SWITCH: starts it, and sets what vswbench must be told of it.
start_measured() {
	start_switch "$1"
	running=$1
	guest_args=(-j --no-ceiling --core "$SW_GUEST_CORE" --timeout 20 "${bench_args[@]}")
	if [[ $sw_role ]]; then
		guest_args+=("$sw_role" --guest "${sw_guests[0]}" --guest "${sw_guests[1]}"
			--watch "${sw_watch[0]}")
	fi
}

# Why a tool failed: what it said, or the verdicts in its JSON.
verdict() {
	local text
	text=$(tail -n 1 "$SW_WORK/err")
	[[ $text ]] || text=$(jq -r '[.verdicts[]? | select(.ok == false) | .text] | join("; ")' \
		"$SW_WORK/out" 2>/dev/null) || :
	echo "${text:-failed}"
}

fail_point() {
	failures+=("$1: $2")
	say "$1: $2"
}

# In milliseconds, roughly.
cost_ms() {
	local warm n=1 extra=700
	case $1 in
	latency,*) n=3 extra=3500 warm=0.2 ;;
	tap,*) warm=0.3 ;;
	*) warm=$(point_args "$1") warm=${warm##* } ;;
	esac
	awk -v n=$n -v s="$seconds" -v w="$warm" -v e=$extra 'BEGIN { print int(1000 * n * (s + w) + e) }'
}

# How long all rounds will take; called when they begin.
plan() {
	local name point
	planned_ms=0 done_ms=0 rounds_from=$SECONDS
	for name in "${switches[@]}"; do
		for point in "${points[@]}"; do
			! is_for "$name" "$point" || planned_ms=$((planned_ms + rounds * $(cost_ms "$point")))
		done
		planned_ms=$((planned_ms + rounds * 1500))
	done
}

# What is left of the plan, at the speed so far; never more than the budget.
time_left() {
	local left=$((planned_ms - done_ms)) until_budget=$(((budget - SECONDS) * 1000))
	((done_ms < 10000)) || left=$((left * (SECONDS - rounds_from) * 1000 / done_ms))
	((left < until_budget)) || left=$until_budget
	((left > 0)) || left=0
	printf '%d:%02d' $((left / 60000)) $((left / 1000 % 60))
}

say() {
	drawn=0
	printf '%s\n' "$*" >&2
}

# A line of progress: below the live table on a terminal.
tell() {
	if [[ -t 1 ]] && draw "$*"; then
		return
	fi
	say "$*"
}

# tell_sample ROUND SWITCH POINT TEXT
tell_sample() {
	tell "$(printf '%6s left  %s %d of %d  %-12s %-16s %s%s' "$(time_left)" "$unit" "$1" \
		"$rounds" "$2" "$3" "$4" "$(! is_disturbed || echo '  disturbed')")"
}

# The table of what there is, over the one before; fails when it does not fit the terminal.
draw() {
	local table size
	table=$("$benchstat" table --metric rate "$samples" 2>/dev/null) || return 1
	size=$(stty size 2>/dev/null </dev/tty) || return 1
	awk -v rows="${size% *}" -v columns="${size#* }" 'length > columns { exit 1 }
		END { exit NR + 3 > rows }' <<<"$table" || return 1
	((drawn == 0)) || printf '\e[%dA\e[J' "$drawn"
	printf '%s\n\n%s\n' "$table" "$1"
	drawn=$(($(wc -l <<<"$table") + 2))
}

end_progress() {
	((drawn == 0)) || printf '\e[%dA\e[J' "$drawn"
	drawn=0
}
