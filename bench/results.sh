# shellcheck shell=bash disable=SC2154
#
# What comes of a comparison: samples.jsonl (each line one measurement), results.json and
# results.csv (medians and ratios), plots as SVG, and report.md, from which a stranger can repeat
# it. For bench/compare.

samples=''
absent=() # sentences about switches that are not here
started_at=$(date '+%Y-%m-%d %H:%M %Z')

begin_results() {
	mkdir -p "$output" || sw_die "no directory for the results"
	output=$(readlink -f "$output")
	samples=$output/samples.jsonl
	[[ ! -e $samples ]] || sw_die "$output has results already; choose another directory with -o"
	: >"$samples"
	local line
	for line in "${absent[@]}"; do
		say "$line"
	done
}

write_results() {
	local facts
	facts=$(facts)
	"$benchstat" csv "$samples" >"$output/results.csv"
	"$benchstat" json "$samples" | jq --argjson facts "$facts" --slurpfile samples "$samples" \
		'{facts: $facts, base, statistics: .cells, samples: $samples}' >"$output/results.json"
	draw_plots
	report "$facts" >"$output/report.md"
	tables table
	say "the report is $output/report.md"
}

has_metric() { grep -q "\"metric\":\"$1\"" "$samples"; }

# tables table|markdown
tables() {
	local metric base
	! has_metric rate || { "$benchstat" "$1" --metric rate "$samples"; echo; }
	for metric in latency_p50 latency_p90; do
		! has_metric $metric || { "$benchstat" "$1" --metric $metric "$samples"; echo; }
	done
	! has_metric latency_p99 || { tails "$1"; echo; }
	has_metric tap_rate || return 0
	for base in vsw-nic vsw-tap; do
		! grep -q "\"switch\":\"$base\"" "$samples" ||
			{ "$benchstat" "$1" --metric tap_rate --base $base "$samples"; echo; }
	done
}

# All percentiles beside the stalls that the host had meanwhile: medians of the rounds.
tails() {
	local rows
	rows=$("$benchstat" json --points '@' "$samples" | jq -r '
		def number: if . == null then "-" elif . < 100 then . * 100 | round / 100 else round end;
		["point", "switch", "p50", "p90", "p99", "p99.9", "host p99.9", "host max"],
		(.cells | group_by(.point)[] | group_by(.switch)[] |
			(map({(.metric): .median}) | add) as $of |
			[.[0].point, .[0].switch] + ([$of.latency_p50, $of.latency_p90, $of.latency_p99,
				$of.latency_p999, $of.gap_p999, $of.gap_max] | map(number))) | @tsv')
	if [[ $1 == table ]]; then
		echo "latency and the host's own stalls, us, medians"
		column -t -s $'\t' <<<"$rows"
	else
		printf "**latency and the host's own stalls, us, medians**\n\n"
		sed -e 's/\t/ | /g' -e 's/.*/| & |/' -e '1a |:--|:--|--:|--:|--:|--:|--:|--:|' <<<"$rows"
	fi
}

# --- what was measured on what -------------------------------------------------------------

facts() {
	local name versions='{}'
	for name in "${switches[@]}"; do
		versions=$(jq --arg name "$name" --arg version "$(switch_version "$name")" \
			'.[$name] = $version' <<<"$versions")
	done
	jq -n --arg date "$started_at" --arg revision "$(revision)" --arg cpu "$(cpu_model)" \
		--arg cores "$(nproc)" --arg hypervisor "$(hypervisor)" --arg kernel "$(uname -srvm)" \
		--arg memory "$(awk '/^MemTotal/ { printf "%.1f GB", $2 / 1048576 }' /proc/meminfo)" \
		--arg system "$(. /etc/os-release && echo "$PRETTY_NAME")" --arg build "$(build_facts)" \
		--arg layout "$(core_layout)" --arg hugepages "${SW_HUGE:+yes}" \
		--argjson versions "$versions" --argjson rounds "$rounds_done" \
		--arg seconds "$seconds" --arg reference_switch "$reference_switch" \
		--arg command "$(command_again)" --argjson reference "$(reference_rates)" \
		--argjson disturbed "$(jq -sc '[map(select(.disturbed)), .] |
			map([.[] | [.round, .switch, .point]] | unique | length)' "$samples")" \
		--argjson absent "$(lines "${absent[@]}")" --argjson failures "$(lines "${failures[@]}")" \
		--argjson notes "$(noted)" '{
			date: $date, revision: $revision, command: $command, rounds: $rounds,
			seconds: ($seconds | tonumber), versions: $versions, absent: $absent,
			failures: $failures, notes: $notes, disturbed: $disturbed,
			reference: {switch: $reference_switch, mpps: $reference},
			machine: {cpu: $cpu, cores: ($cores | tonumber), hypervisor: $hypervisor,
				memory: $memory, system: $system, kernel: $kernel, layout: $layout,
				hugepages: ($hugepages == "yes"), build: $build}}'
}

# The command of this run, without the paths of this machine.
command_again() {
	printf 'bench/compare --rounds %s --seconds %s --budget %s --switches %s' "$rounds" "$seconds" \
		"$budget" "$(IFS=, && echo "${switches[*]}")"
	printf ' --point %s' "${points[@]}"
}

noted() {
	local what
	for what in "${!notes[@]}"; do
		printf '%s: %s\n' "$what" "${notes[$what]}"
	done | sort | jq -R . | jq -sc .
}

lines() { printf '%s\n' "$@" | jq -R . | jq -sc 'map(select(. != ""))'; }

reference_rates() {
	local point
	for point in "${!reference[@]}"; do
		printf '{"%s":%s}\n' "$point" "${reference[$point]}"
	done | jq -sc 'add // {}'
}

revision() {
	git -c safe.directory='*' -C "$top" describe --always --dirty --abbrev=12 2>/dev/null ||
		echo "no git revision"
}

cpu_model() { sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1; }

hypervisor() {
	grep -qw hypervisor /proc/cpuinfo || { echo "none"; return; }
	lscpu | sed -n 's/^Hypervisor vendor: *//p' | grep . || echo "of unknown make"
}

core_layout() {
	local siblings=/sys/devices/system/cpu/cpu$SW_CORE/topology/thread_siblings_list
	printf 'switch on core %s, guests on core %s, what else a switch does on core %s' \
		"$SW_CORE" "$SW_GUEST_CORE" "$SW_OTHER_CORE"
	if [[ -r $siblings && $(<"$siblings") != "$SW_CORE" ]]; then
		printf '; these share the hardware of one core: %s' "$(<"$siblings")"
	fi
}

build_facts() {
	local compiler options
	compiler=$(readelf -p .comment "$build/switch/vswd" 2>/dev/null |
		sed -n 's/^ *\[ *[0-9a-f]*\] *//p' | paste -sd ';') || :
	options=$(build_options 2>/dev/null | sed 's/^-D//' | grep -E '^(buildtype|b_lto|c_args)=.' |
		paste -sd ' ') || :
	echo "${compiler:-an unknown compiler}${options:+, $options}"
}

# --- plots ---------------------------------------------------------------------------------

draw_plots() {
	if ! sw_has gnuplot; then
		absent+=("there are no plots: gnuplot is not installed; apt-get install gnuplot-nox")
		say "${absent[-1]}"
		return
	fi
	plot_data static rate size 'select(.point | test("^[0-9]+$"))'
	plot_data touch rate size 'select(.point | test("^[0-9]+,touch$"))'
	draw_plot throughput-by-size "bytes of a frame" Mpps "x" static touch
	plot_data macs rate macs 'select(.point | test("^64(,macs=[0-9]+)?$")) | .macs = (.macs // 1)'
	draw_plot throughput-by-macs "addresses on each side, frames of 64 bytes" Mpps "x" macs
	local percentile
	for percentile in p50 p90 p99 p999; do
		plot_data $percentile latency_$percentile load_pct 'select(.load_pct != null)'
	done
	draw_plot latency-by-load "load, percent of ${reference_switch:-the} rate without loss" \
		microseconds "y" p50 p90 p99 p999
}

# plot_data PANEL METRIC X FILTER: columns for gnuplot, if there are samples; at least two points.
plot_data() {
	local data=$SW_WORK/$1.dat
	jq -c "select(.metric == \"$2\" and .switch != \"generator\") | $4" "$samples" |
		"$benchstat" plot --metric "$2" --x "$3" >"$data" 2>/dev/null || :
	(($(wc -l <"$data") > 2)) || rm -f "$data"
}

# draw_plot NAME X Y LOGARITHMIC PANEL...: of the panels that have data.
draw_plot() {
	local name=$1 x=$2 y=$3 scale=$4 panel panels=()
	shift 4
	for panel in "$@"; do
		[[ ! -s $SW_WORK/$panel.dat ]] || panels+=("$panel")
	done
	((${#panels[@]})) || return 0
	(cd "$output" && gnuplot -e "out='$name.svg'; dir='$SW_WORK'; panels='${panels[*]}'" \
		-e "xtext='$x'; ytext='$y'; scale='$scale'" "$top/bench/plot.gp" 2>"$SW_WORK/err") ||
		fail_point "plot $name" "$(tail -n 1 "$SW_WORK/err")"
}

# --- the report ----------------------------------------------------------------------------

# report FACTS: report.md.
report() {
	local plot
	jq -r '
		"# vsw and other switches\n",
		"Measured on \(.date), vsw \(.revision).\n",
		"| machine | |", "|:--|:--|",
		"| processor | \(.machine.cpu), \(.machine.cores) cores to run on |",
		"| hypervisor | \(.machine.hypervisor) |",
		"| memory | \(.machine.memory), hugepages: \(if .machine.hugepages then "yes" else "no" end) |",
		"| system | \(.machine.system), \(.machine.kernel) |",
		"| cores | \(.machine.layout) |",
		"| vsw built by | \(.machine.build) |",
		(.versions | to_entries[] | "| \(.key) | \(.value) |"),
		"", "Rounds: \(.rounds), with \(.seconds) s for each measurement. " +
		"\(.disturbed[0]) of \(.disturbed[1]) were disturbed at least once: switch or guests were ready " +
		"and had no core for more than a tenth of the time. Those were measured again, up to " +
		"three times (latency: once).",
		(.absent, .notes | .[] | "- " + .), (.failures[] | "- failed: " + .)' <<<"$1"
	printf '\n## Results\n\n'
	tables markdown
	for plot in throughput-by-size throughput-by-macs latency-by-load; do
		[[ ! -s $output/$plot.svg ]] || printf '![%s](%s.svg)\n\n' "${plot//-/ }" "$plot"
	done
	report_method
	jq -r '"## To repeat it\n", "In a checkout of vsw at \(.revision), as root:\n", "```sh",
		"./lab bench", "```\n", "That installs what is missing, builds, and runs bench/compare. " +
		"This run was:\n", "```sh", .command, "```"' <<<"$1"
}

report_method() {
	cat <<-END
	## Method

	- One switch runs at a time, on one polling core, started anew in each round; the order of the
	  switches rotates from round to round. Ratios are medians over the rounds of the ratios within
	  a round, so that what changes on the machine in the course of time cancels out.
	- \`vswbench\` plays two guests that send to each other at once, both ways, as fast as the switch
	  takes frames (1024 descriptors a ring, split rings, mergeable buffers, no offloads), from a
	  core of its own. Mpps are frames received by both together. Its rings are filled in advance;
	  the column "generator" is what it reaches with a thread in the switch's place that only
	  completes descriptors.
	- A point is the size of the frame without FCS in bytes; imix is 64, 570 and 1518 at 7:4:1;
	  \`macs=N\`: each guest sends from N addresses to N addresses in turn. Guests do nothing with
	  their frames (the switch's cost alone), those of \`touch\` write and read every cache line of
	  each frame, as real ones would. Contents, order and count of what arrives are checked.
	- All switches have an MTU of 9000 and learn addresses (testpmd learns nothing: it moves frames
	  from one port to the other). vswd: a private switch, \`--poll always\`. OVS: one netdev bridge,
	  NORMAL action, one PMD thread, \`dpdkvhostuser\` ports, a table with room for all addresses, 512
	  MB for its buffers. testpmd: io mode, \`net_vhost\` ports. Where there are but two cores, what OVS
	  does besides, installing flows above all, shares the guests' core; it may reorder frames
	  meanwhile, which is noted above.
	- Latency: frames of both directions at the same absolute rate for all switches, from handing a
	  frame over to seeing it received. 100 % load is, as found at the start,
	  $(hundred_percent)"after quiet"
	  is the first frame after 100 ms without any. A stall of the host while frames are under way looks
	  like the switch's doing: "host p99.9" and "host max" are the stalls that the generator itself saw
	  meanwhile.
	- TAPs: two machines exchange frames, at most 256 under way in each direction, so that nothing is
	  lost. With \`bridge\`, \`bridge-napi\` and \`vsw-nic\` they are the same machines on the same two
	  TAPs, which a program holds as a VMM without vhost does (one system call per frame); the
	  bridge, or vsw's packet sockets (\`port add p1 switch s nic t1\`), have the interfaces. The
	  bridge works in the context of whoever sends, that is on the machines' core, and vsw on its
	  own; \`bridge-napi\` has the bridge work on the switch's core as well (threaded NAPI). With
	  \`vsw-tap\` vsw holds the TAPs itself (\`port add p1 switch s tap t1\`), as a VMM does, and the
	  machines are the host, with packet sockets on the interfaces: the same two crossings of a TAP
	  per frame, from the other side. These paths are not the same; both machines share one core, and
	  what they cost themselves is part of each figure.

	END
}

hundred_percent() {
	local point
	for point in "${!reference[@]}"; do
		printf 'at %s bytes %s Mpps, %s; ' "${point#latency,}" "${reference[$point]}" \
			"${reference_text[$point]}"
	done
	((${#reference[@]})) || printf 'not measured here; '
}
