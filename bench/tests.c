/*
 * The tests by name. Beside each: what it means in one line, and where it comes from.
 */
#include "bench/bench.h"

const struct bench_test bench_tests[] = {
	{"rate", "frames forwarded at full load; the switch's cycles per frame and CPU use",
	 "RFC 2285 3.6.2", 2, GEN_STATIC, 0, 1, plan_pattern, test_rate},
	{"throughput", "highest rate without loss, by binary search with loss verification",
	 "RFC 2544 26.1, ETSI NFV-TST 009", 2, GEN_STATIC, 0, 1, plan_pattern, test_throughput},
	{"loss", "part of the frames lost, from the highest rate downwards", "RFC 2544 26.3", 2,
	 GEN_STATIC, 0, 1, plan_pattern, test_loss},
	{"burst", "longest burst of back-to-back frames without loss", "RFC 2544 26.4, RFC 9004", 2,
	 GEN_STATIC, 0, 1, plan_pattern, test_burst},
	{"overload", "goodput when several times the zero-loss rate is offered", "RFC 2285 3.5.4",
	 2, GEN_STATIC, 0, 1, plan_pattern, test_overload},
	{"latency", "delay at parts of the zero-loss rate, and of the first frame after idleness",
	 "RFC 2544 26.2, ETSI NFV-TST 009", 2, GEN_STAMP, 0, 1, plan_pattern, test_latency},
	{"mesh", "all guests to all others: highest and zero-loss rate, fairness", "RFC 2889 5.1",
	 2, GEN_STAMP, 0, 1, plan_mesh, test_mesh},
	{"broadcast", "one guest to all: frames in, copies out, delay", "RFC 2889 5.10", 2,
	 GEN_STAMP, 0, 1, plan_broadcast, test_broadcast},
	{"congestion", "two senders overload one port: a third flow must lose nothing",
	 "RFC 2889 5.5", 4, GEN_STAMP, 0, 1, plan_congestion, test_congestion},
	{"fdb-capacity", "how many stations the switch knows without loss or flooding",
	 "RFC 2889 5.7", 3, GEN_STAMP, BENCH_NEEDS_SWITCH | BENCH_FLOODS, 1, plan_fdb,
	 test_fdb_capacity},
	{"fdb-rate", "how fast the switch learns stations without flooding later", "RFC 2889 5.8",
	 3, GEN_STAMP, BENCH_NEEDS_SWITCH | BENCH_FLOODS, 1, plan_fdb, test_fdb_rate},
	{"blackout", "frames lost over the offered rate while a command runs", "RFC 6201", 2,
	 GEN_STAMP, BENCH_NEEDS_SWITCH | BENCH_NEEDS_COMMAND | BENCH_FLOODS | BENCH_RECONNECTS, 6,
	 plan_pattern, test_blackout},
	{"soak", "loss, delay and memory by interval, for hours", "ETSI NFV-TST 009", 2, GEN_STAMP,
	 0, 60, plan_pattern, test_soak},
	{0},
};
