#include "bench/ceiling.h"

#include <stdlib.h>
#include <string.h>

#define CEILING_S 0.3
#define WARM_UP_S 0.05

static int run(struct gen *gen, int core, struct gen_result *res, bool *alone_ret);

int ceiling_measure(const struct bench_options *o, const struct gen_conf *conf, double *pps_ret,
		    bool *alone_ret)
{
	static struct gen_result res; // too large for a stack
	struct gen_conf own = *conf;
	struct gen *gen;
	int err;

	memset(own.sockets, 0, sizeof(own.sockets));
	memset(own.server, 0, sizeof(own.server));
	err = gen_create(&own, &gen);
	if (err != 0)
		return err;
	err = run(gen, o->null_core, &res, alone_ret);
	if (err == 0)
		*pps_ret = (double)res.received / res.seconds;
	gen_destroy(gen);
	return err;
}

static int run(struct gen *gen, int core, struct gen_result *res, bool *alone_ret)
{
	const struct gen_load load = {
		.seconds = CEILING_S,
		.warm_up_s = WARM_UP_S,
		.tick = bench_tick,
	};
	int err = gen_null_start(gen, core, alone_ret);

	if (err != 0)
		return err;
	err = gen_run(gen, &load, res);
	gen_null_stop(gen);
	return err;
}
