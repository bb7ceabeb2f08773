/*
 * The generator's own ceiling: what it does when the switch costs nothing. A result near it says
 * more about vswbench than about the switch, so it is printed beside each.
 *
 * Threads: main thread; one more while it runs.
 */
#pragma once

#include "bench/bench.h"

/**
 * Runs the traffic of 'conf' against the null back end for a moment. 'conf' is borrowed; its
 * sockets are not used. 0; -ECANCELED: Ctrl-C; or a negative errno. *alone_ret: the back end had
 * its core for itself.
 */
int ceiling_measure(const struct bench_options *o, const struct gen_conf *conf, double *pps_ret,
		    bool *alone_ret);
