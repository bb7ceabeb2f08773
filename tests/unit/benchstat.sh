#!/usr/bin/env bash
# What benchstat prints of given samples, how it ends, and what it says of bad input.
# usage: benchstat.sh BENCHSTAT
set -euo pipefail

benchstat=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
bad=0

# expect CODE ARGUMENT...: stdin is what it prints on stdout; nothing on stderr.
expect() {
	local code=$1 got=0
	shift
	cat >wanted
	"$benchstat" "$@" >out 2>err </dev/null || got=$?
	if ((got != code)) || [[ -s err ]] || ! diff -u wanted out; then
		echo "benchstat $*: ends with $got, wanted $code"
		cat err
		bad=1
	fi
}

# refuses TEXT ARGUMENT...: ends with 2 and says TEXT, and nothing else; stdin goes to it.
refuses() {
	local text=$1 got=0
	shift
	"$benchstat" "$@" >out 2>err || got=$?
	if ((got != 2)) || [[ -s out ]] || ! grep -qF -e "$text" err; then
		echo "benchstat $*: ends with $got, wanted 2 and: $text"
		cat err
		bad=1
	fi
}

# sample ROUND SWITCH POINT METRIC VALUE [MORE]
sample() {
	printf '{"round":%s,"switch":"%s","point":"%s","metric":"%s","value":%s%s}\n' \
		"$1" "$2" "$3" "$4" "$5" "${6:-}"
}

# Eight rounds on a machine that changes its speed by the round.
for round in {1..8}; do
	disturbed=false
	((round != 3)) || disturbed=true
	sample "$round" ovs 64 rate $((round * 10)) ',"unit":"Mpps"'
	sample "$round" vsw 64 rate $((round * 25))
	sample "$round" vsw 1518 rate $((round * 7))
	sample "$round" ovs 1518 rate $((round * 7)) ',"disturbed":true'
	sample "$round" ovs imix rate $((round == 3 ? 1 : 8)) ",\"disturbed\":$disturbed"
	sample "$round" vsw '50 %' latency_p50 $((round + 10)) ',"unit":"us","load":50'
	sample "$round" ovs '50 %' latency_p50 $((3 * round + 30)) ',"load":50'
	sample "$round" vsw '10 %' latency_p50 0.004 ',"load":10'
done >samples

expect 0 table samples <<-END
	rate, Mpps
	point                  vsw                   ovs  vsw/ovs
	64     112.5 (25.00-200.0)   45.00 (10.00-80.00)     2.50
	1518   31.50 (7.000-56.00)  31.50 (7.000-56.00)*    1.00*
	imix                     -   8.000 (8.000-8.000)        -

	latency_p50, us, less is better
	point                  vsw                  ovs  ovs/vsw
	50 %   14.50 (11.00-18.00)  43.50 (33.00-54.00)     3.00
	10 %   0.004 (0.004-0.004)                    -        -

	Median (lowest-highest) of the rounds. Ratios: median of the rounds' own; above 1, vsw is better.
	Disturbed samples left out: 1.
	* Disturbed samples used, for want of two others: 8.
END

expect 0 markdown --base ovs --metric rate --points '^(64|1518)$' samples <<-END
	**rate, Mpps**

	| point | ovs | vsw | ovs/vsw |
	|:--|--:|--:|--:|
	| 64 | 45.00 (10.00-80.00) | 112.5 (25.00-200.0) | 0.40 |
	| 1518 | 31.50 (7.000-56.00)\\* | 31.50 (7.000-56.00) | 1.00\\* |

	Median (lowest-highest) of the rounds. Ratios: median of the rounds' own; above 1, ovs is better.
	\\* Disturbed samples used, for want of two others: 8.
END

expect 0 csv samples <<-END
	metric,point,switch,unit,better,samples,disturbed,left_out,pairs,median,min,q1,q3,max,base_ratio
	rate,64,ovs,Mpps,higher,8,0,0,8,45,10,27.5,62.5,80,2.5
	rate,64,vsw,Mpps,higher,8,0,0,0,112.5,25,68.75,156.25,200,
	rate,1518,ovs,Mpps,higher,8,8,0,8,31.5,7,19.25,43.75,56,1
	rate,1518,vsw,Mpps,higher,8,0,0,0,31.5,7,19.25,43.75,56,
	rate,imix,ovs,Mpps,higher,7,0,1,0,8,8,8,8,8,
	latency_p50,50 %,ovs,us,lower,8,0,0,8,43.5,33,38.25,48.75,54,3
	latency_p50,50 %,vsw,us,lower,8,0,0,0,14.5,11,12.75,16.25,18,
	latency_p50,10 %,vsw,us,lower,8,0,0,0,0.004,0.004,0.004,0.004,0.004,
END

"$benchstat" json samples >json
if ! jq -e '.base == "vsw" and (.cells | length) == 8 and (.cells[0] | .switch == "ovs" and
	.median == 45 and .base_ratio == 2.5 and .pairs == 8) and .cells[1].base_ratio == null' \
	json >/dev/null; then
	echo "json is not what was wanted:"
	cat json
	bad=1
fi

expect 0 plot --metric rate --x size samples <<-END
	"size" "ovs" "ovs lowest" "ovs highest" "vsw" "vsw lowest" "vsw highest"
	64 45 10 80 112.5 25 200
	1518 31.5 7 56 31.5 7 56
END
expect 0 plot --metric latency_p50 --x load samples <<-END
	"load" "ovs" "ovs lowest" "ovs highest" "vsw" "vsw lowest" "vsw highest"
	10 NaN NaN NaN 0.004 0.004 0.004
	50 43.5 33 54 14.5 11 18
END

# The gate, with one verdict each.
expect 0 compare --old ovs --new vsw --points '^64$' samples <<-END
	metric  point  pairs    ovs    vsw  ratio     interval    sure  verdict
	rate       64      8  45.00  112.5  2.500  2.500-2.500  99.2 %   faster

	Ratio above 1: vsw is better. Tolerance 2 %, confidence 95 %.
	vsw is not slower than ovs.
END
expect 0 compare --old ovs --new vsw --points '^1518$' samples <<-END
	metric  point  pairs    ovs    vsw  ratio     interval    sure     verdict
	rate     1518     8*  31.50  31.50  1.000  1.000-1.000  99.2 %  not slower

	Ratio above 1: vsw is better. Tolerance 2 %, confidence 95 %.
	* Disturbed pairs used, for want of two others: 8.
	vsw is not slower than ovs.
END
expect 3 compare --old ovs --new vsw --metric rate samples <<-END
	metric  point  pairs    ovs    vsw  ratio     interval    sure     verdict
	rate     imix      0  8.000      -      -            -       -  cannot say
	rate     1518     8*  31.50  31.50  1.000  1.000-1.000  99.2 %  not slower
	rate       64      8  45.00  112.5  2.500  2.500-2.500  99.2 %      faster

	Ratio above 1: vsw is better. Tolerance 2 %, confidence 95 %.
	* Disturbed pairs used, for want of two others: 8.
	At 1 of 3 points these pairs cannot say whether vsw is slower than ovs: more are needed.
END
expect 1 compare --old vsw --new ovs samples <<-END
	metric       point  pairs    vsw    ovs  ratio     interval    sure     verdict
	latency_p50   50 %      8  14.50  43.50  0.333  0.333-0.333  99.2 %      slower
	rate            64      8  112.5  45.00  0.400  0.400-0.400  99.2 %      slower
	rate          imix      0      -  8.000      -            -       -  cannot say
	latency_p50   10 %      0  0.004      -      -            -       -  cannot say
	rate          1518     8*  31.50  31.50  1.000  1.000-1.000  99.2 %  not slower

	Ratio above 1: ovs is better. Tolerance 2 %, confidence 95 %.
	* Disturbed pairs used, for want of two others: 8.
	ovs is slower than vsw at 2 of 5 points.
END

# A new one that is 5 % slower, 3 % noise on both sides: found, and let pass with a tolerance of 20 %.
for round in {1..12}; do
	sample "$round" a 64 rate $((1000 + round % 3 * 15))
	sample "$round" b 64 rate $((950 + (round + 1) % 3 * 15))
done >noisy
for tolerance in 0.02 0.2; do
	got=0
	"$benchstat" compare --old a --new b --tolerance $tolerance noisy >out || got=$?
	wanted=1
	[[ $tolerance == 0.02 ]] || wanted=0
	((got == wanted)) || { echo "tolerance $tolerance: $got, wanted $wanted"; cat out; bad=1; }
done
# One that is likely slower, though it may be as fast, is not let pass; one that is at worst as fast is.
for round in {1..10}; do
	sample "$round" a 64 rate 1000
	sample "$round" b 64 rate $((round % 2 ? 905 : 1000))
	sample "$round" c 64 rate $((round % 2 ? 985 : 1075))
done >edge
for new in b c; do
	got=0
	"$benchstat" compare --old a --new $new edge >out || got=$?
	wanted=3
	[[ $new == b ]] || wanted=0
	((got == wanted)) || { echo "edge, $new: $got, wanted $wanted"; cat out; bad=1; }
done
# Five pairs are too few, whatever they say.
got=0
head -n 10 noisy | "$benchstat" compare --old a --new b >out || got=$?
((got == 3)) || { echo "five pairs: $got, wanted 3"; cat out; bad=1; }

good=$(sample 1 v 64 rate 1)
refuses 'stdin:2: "value" is not a number' table <<<"$good"$'\n''{"round":1,"value":"x"}'
refuses 'stdin:1: column ' table - <<<'{"round":1,"value":NaN}'
refuses 'stdin: there is no sample in it' table </dev/null
refuses 'no-file: No such file' table no-file
refuses '.: Is a directory' table .
refuses 'benchstat MODE' </dev/null
refuses "no mode 'tables'" tables
refuses 'more than one file' table samples samples
refuses 'plot needs --metric' plot --x size samples
refuses 'plot needs --x' plot --metric rate samples
refuses 'compare needs --new' compare --old a samples
refuses 'table has no --x' table --x size samples
refuses 'no sample of switch nobody' table --base nobody samples
refuses 'no sample of switch nobody' compare --old nobody --new vsw samples
refuses 'are the same: vsw' compare --old vsw --new vsw samples
refuses 'no sample of metric speed' table --metric speed samples
refuses "no point is like '^65'" table --points '^65' samples
refuses 'no regular expression: (' table --points '(' samples
refuses "no sample of rate has a number 'macs'" plot --metric rate --x macs samples
refuses 'have the same size' plot --metric rate --x size < <(
	sample 1 v 64 rate 1
	sample 1 v 64,touch rate 1)
for part in 1 -0.1 x '' nan 0.1x; do
	refuses 'is a number between 0 and 1' compare --old ovs --new vsw --tolerance "$part" samples
done
refuses '--confidence is a number' compare --old ovs --new vsw --confidence 0 samples

got=0
"$benchstat" table samples >/dev/full 2>err || got=$?
if ((got != 2)) || ! grep -q 'cannot be written' err; then
	echo "a full disk: ends with $got"
	bad=1
fi
"$benchstat" --help >out
"$benchstat" compare --help | cmp - out || bad=1
exit "$bad"
