/*
 * Who sends to whom in each test. Guests that only receive, and addresses that are only sent to,
 * get streams for learning, so that the switch knows them: else it would flood.
 */
#include "bench/bench.h"

static void plan_pairs(const struct bench_options *o, struct gen_conf *conf);
static void plan_one_way(const struct bench_options *o, struct gen_conf *conf);
static void add(const struct bench_options *o, struct gen_conf *conf, unsigned from, unsigned to);
static void announce(const struct bench_options *o, struct gen_conf *conf, unsigned guest,
		     unsigned to);
static struct gen_stream_conf *new_stream(const struct bench_options *o, struct gen_conf *conf,
					  unsigned from, unsigned to);

void plan_pattern(const struct bench_options *o, struct gen_conf *conf)
{
	switch (o->pattern) {
	case BENCH_PAIRS:
		plan_pairs(o, conf);
		break;
	case BENCH_ONE_WAY:
		plan_one_way(o, conf);
		break;
	case BENCH_MESH:
		plan_mesh(o, conf);
		break;
	}
}

void plan_mesh(const struct bench_options *o, struct gen_conf *conf)
{
	conf->n_streams = 0;
	// Each begins with its next neighbour: else all would send to the same guest at once.
	for (unsigned i = 0; i < o->n_guests; i++)
		for (unsigned k = 1; k < o->n_guests; k++)
			add(o, conf, i, (i + k) % o->n_guests);
	if (o->dst_macs > o->src_macs)
		for (unsigned i = 0; i < o->n_guests; i++)
			announce(o, conf, i, (i + 1) % o->n_guests);
}

void plan_broadcast(const struct bench_options *o, struct gen_conf *conf)
{
	conf->n_streams = 0;
	new_stream(o, conf, 0, GEN_TO_ALL)->src_macs = o->src_macs;
	for (unsigned i = 1; i < o->n_guests; i++)
		announce(o, conf, i, 0);
}

void plan_congestion(const struct bench_options *o, struct gen_conf *conf)
{
	conf->n_streams = 0;
	add(o, conf, 0, 2);
	add(o, conf, 1, 2);
	add(o, conf, 0, 3);
	for (unsigned i = 2; i < o->n_guests; i++)
		announce(o, conf, i, 0);
}

void plan_fdb(const struct bench_options *o, struct gen_conf *conf)
{
	conf->n_streams = 0;
	new_stream(o, conf, 1, 0);
	new_stream(o, conf, 0, 1);
	for (unsigned i = 2; i < o->n_guests; i++)
		new_stream(o, conf, i, 0)->learn_only = true;
}

static void plan_pairs(const struct bench_options *o, struct gen_conf *conf)
{
	conf->n_streams = 0;
	for (unsigned i = 0; i + 1 < o->n_guests; i += 2) {
		add(o, conf, i, i + 1);
		add(o, conf, i + 1, i);
		if (o->dst_macs > o->src_macs) {
			announce(o, conf, i, i + 1);
			announce(o, conf, i + 1, i);
		}
	}
}

static void plan_one_way(const struct bench_options *o, struct gen_conf *conf)
{
	conf->n_streams = 0;
	for (unsigned i = 0; i + 1 < o->n_guests; i += 2) {
		add(o, conf, i, i + 1);
		announce(o, conf, i + 1, i);
	}
}

static void add(const struct bench_options *o, struct gen_conf *conf, unsigned from, unsigned to)
{
	struct gen_stream_conf *s = new_stream(o, conf, from, to);

	s->src_macs = o->src_macs;
	s->dst_macs = o->dst_macs;
}

// All addresses that others send to.
static void announce(const struct bench_options *o, struct gen_conf *conf, unsigned guest,
		     unsigned to)
{
	struct gen_stream_conf *s = new_stream(o, conf, guest, to);

	s->src_macs = o->dst_macs;
	s->learn_only = true;
}

// One address each. There is room: a mesh of all guests with its announcements fills it.
static struct gen_stream_conf *new_stream(const struct bench_options *o, struct gen_conf *conf,
					  unsigned from, unsigned to)
{
	struct gen_stream_conf *s = &conf->streams[conf->n_streams++];

	_Static_assert(GEN_MAX_STREAMS >= GEN_MAX_GUESTS * GEN_MAX_GUESTS, "room for a mesh");
	*s = (struct gen_stream_conf){
		.from = (uint8_t)from,
		.to = (uint8_t)to,
		.tci = (uint16_t)(o->pcp << 13 | o->vlan),
		.src_macs = 1,
		.dst_macs = 1,
	};
	return s;
}
