# shellcheck shell=bash disable=SC2154
#
# The gate: is revision NEW slower than OLD? Both are built with the options of the working tree's
# build, and measured by the working tree's vswbench, in pairs: at each point one right after the
# other, each time a switch that was started anew. For bench/compare.

gate_start_ms=700 # of a switch, roughly

gate() {
	local old new
	for point in "${points[@]}"; do
		is_for vsw "$point" && [[ $point != latency,* ]] ||
			sw_die "'$point': OLD and NEW are compared at points of the kind 64, imix,touch, 64,macs=100"
	done
	old=$(build_revision "${revisions[0]}") || exit 2
	new=$(build_revision "${revisions[1]}") || exit 2
	switches=(old new)
	begin_results
	switches_begin
	bench_args=(${SW_HUGE:+--huge})
	compare_revisions "$old" "$new"
	end_progress
	say ''
	echo "old: $(describe_revision "${revisions[0]}"); new: $(describe_revision "${revisions[1]}")"
	"$benchstat" table --base new "$samples"
	"$benchstat" compare --old old --new new --tolerance "$tolerance" "$samples"
}

# compare_revisions OLD-BUILD NEW-BUILD: pairs that were disturbed are made up for by more pairs, up
# to twice as many.
compare_revisions() {
	local pair point order=(old new) clean=0
	local -A builds=([old]=$1 [new]=$2)
	planned_ms=0 rounds_from=$SECONDS
	for point in "${points[@]}"; do
		planned_ms=$((planned_ms + 2 * rounds * ($(cost_ms "$point") + gate_start_ms)))
	done
	for ((pair = 1; clean < rounds && pair <= 2 * rounds; pair++)); do
		compare_pair "$pair" && clean=$((clean + 1))
		order=("${order[1]}" "${order[0]}")
		((SECONDS < budget)) || { say "the time is up after $pair of $rounds pairs"; break; }
	done
}

# Fails when one of the pair's samples was disturbed.
compare_pair() {
	local point name status=0
	for point in "${points[@]}"; do
		for name in "${order[@]}"; do
			SW_BUILD=${builds[$name]}
			start_measured vsw
			: >"$SW_WORK/sample"
			measure "$1" "$name" "$point"
			[[ -s $SW_WORK/sample ]] && ! is_disturbed || status=1
			end_switch
			done_ms=$((done_ms + gate_start_ms))
		done
	done
	return $status
}

# build_revision REVISION: prints the build directory that has its vswd and vswctl.
build_revision() {
	local sha dir
	if [[ $1 == . ]]; then
		[[ $no_build ]] || build_targets "$build" "the working tree" || return 1
		echo "$build"
		return
	fi
	sha=$(in_repo rev-parse --verify --quiet "$1^{commit}") || {
		sw_say "compare: '$1' is no revision of $repo"
		return 1
	}
	dir=$cache/$sha
	if [[ ! -e $dir/source/meson.build ]]; then
		rm -rf "$dir"
		mkdir -p "$dir/unpacked"
		in_repo archive "$sha" | tar -x -C "$dir/unpacked" || return 1
		mv "$dir/unpacked" "$dir/source" # whole, or not there
	fi
	build_options >"$dir/options.new"
	if ! cmp -s "$dir/options.new" "$dir/options" || [[ ! -e $dir/build/build.ninja ]]; then
		rm -rf "$dir/build"
		quietly "$dir/log" xargs -d '\n' -a "$dir/options.new" \
			meson setup "$dir/build" "$dir/source" >&2 || return 1
		mv "$dir/options.new" "$dir/options"
	fi
	build_targets "$dir/build" "$1" || return 1
	echo "$dir/build"
}

build_targets() {
	sw_say "building $2"
	quietly "$1/compare.log" ninja -C "$1" switch/vswd switch/vswctl
}

# The options of the working tree's build that make a difference to its code, one a line.
build_options() {
	meson introspect --buildoptions "$build" | jq -r '.[] |
		select(.name | IN("buildtype", "optimization", "debug", "b_lto", "b_ndebug",
			"b_sanitize", "b_lundef", "c_args", "c_link_args")) |
		"-D\(.name)=\(.value | if type == "array" then join(",") else tostring end)"'
}

in_repo() { git -c safe.directory='*' -C "$repo" "$@"; }

describe_revision() {
	if [[ $1 == . ]]; then
		echo "the working tree"
	else
		in_repo log -1 --format='%h (%s)' "$1"
	fi
}

# quietly LOG COMMAND...: shows what it said when it fails.
quietly() {
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		sw_say "compare: failed: $*"
		return 1
	fi
}
