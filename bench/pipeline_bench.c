/*
 * What a frame costs in the switch, stage by stage: real switch code from the sender's ring to
 * the receiver's, in TSC cycles per frame, so that a regression can be located.
 *
 * Fill and drain: the guests fill their rings, then the clock runs while the switch empties
 * them. Guests do nothing but write the addresses of their frames. A burst of 32 comes from a
 * ring that holds PIPELINE_FRAMES; of the shorter ones the guest has made just so many available.
 *
 * Rounds with a clock between the stages and rounds without take turns. 'sum' is the sum of the
 * stages, 'total' what the frames cost without the clocks, and the difference is what the
 * clocks cost: per frame much in short bursts, little in long ones.
 */
#include <stdio.h>

#include "bench/cycles.h"
#include "bench/pipeline.h"
#include "ports/copy.h"

enum {
	ROUNDS = 100,
	SUM = PIPELINE_STAGES, // further columns
	TOTAL,
	COLUMNS
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const columns[COLUMNS] = {"receive", "ingress", "learn", "lookup", "egress",
					     "release", "settle",  "sum",   "total"};

static void measure_traffic(struct cycles *c, struct pipeline *p, struct pipeline_case *now);
static void measure_rules(struct cycles *c, struct pipeline *p, enum pipeline_ports ports);
static bool skipped(const struct cycles *c, const struct pipeline_case *now, const char *name);
static void measure(struct cycles *c, struct pipeline *p);
static void round_of_stages(struct cycles *c, struct pipeline *p, unsigned round);
static double round_of_all(struct pipeline *p);
static unsigned step(struct pipeline *p, unsigned done, uint64_t *clocks);
static void must_be_there(const struct pipeline *p, uint64_t before);

int main(int argc, char **argv)
{
	static struct pipeline p;
	struct cycles c;

	cycles_init(&c, "pipeline", "What a frame costs in the switch, stage by stage.", ROUNDS,
		    argc, argv);
	pipeline_init(&p);
	cycles_pin(&c, 0);
	cycles_say(&c, "TSC cycles per frame, median of %u rounds of %d frames; copies by %s",
		   c.rounds, PIPELINE_FRAMES, copy_name());
	for (unsigned i = 0; i < 4; i++) {
		struct pipeline_case now = {.ports = i % 2 == 0 ? PIPELINE_VRING : PIPELINE_MEMORY,
					    .flood = i >= 2};

		measure_traffic(&c, &p, &now);
		if (!now.flood)
			measure_rules(&c, &p, now.ports);
	}
	pipeline_fini(&p);
	cycles_fini(&c);
	return 0;
}

static void measure_traffic(struct cycles *c, struct pipeline *p, struct pipeline_case *now)
{
	static const uint32_t sizes[] = {64, 512, 1518}, macs[] = {1, 100, 10000};
	static const unsigned bursts[] = {32, 4, 1};
	char name[64];

	cycles_table(c, now->ports == PIPELINE_VRING ? "guests' rings" : "in-memory NICs", columns,
		     COLUMNS);
	for (unsigned i = 0; i < COUNT(sizes) * COUNT(macs) * COUNT(bursts); i++) {
		now->size = sizes[i / COUNT(macs) / COUNT(bursts)];
		now->macs = macs[i / COUNT(bursts) % COUNT(macs)];
		now->burst = bursts[i % COUNT(bursts)];
		snprintf(name, sizeof(name), "%s, %u B, %u MAC%s, %s, burst %u",
			 now->ports == PIPELINE_VRING ? "vring" : "memory", now->size, now->macs,
			 now->macs == 1 ? "" : "s", now->flood ? "flood to 4" : "unicast",
			 now->burst);
		if (skipped(c, now, name))
			continue;
		pipeline_prepare(p, now);
		measure(c, p);
		cycles_case(c, name);
	}
}

// The same frames, IPv4, from a port with access control, or none.
static void measure_rules(struct cycles *c, struct pipeline *p, enum pipeline_ports ports)
{
	static const struct {
		const char *name;
		struct aclset set;
	} cases[] = {{"acl10", {.kind = ACLSET_EXTENDED, .n = 10}},
		     {"acl1000", {.kind = ACLSET_EXTENDED, .n = 1000}},
		     {"acl10 basic", {.kind = ACLSET_BASIC, .n = 10}},
		     {"acl1000 basic", {.kind = ACLSET_BASIC, .n = 1000}},
		     {"acl10 stateful", {.kind = ACLSET_STATEFUL, .n = 10}},
		     {"acl1000 stateful", {.kind = ACLSET_STATEFUL, .n = 1000}}};
	char name[64];

	for (unsigned i = 0; i < COUNT(cases); i++) {
		const struct pipeline_case now = {.ports = ports,
						  .size = 64,
						  .macs = 1,
						  .burst = VNBL_BURST_MAX,
						  .rules = cases[i].set};

		snprintf(name, sizeof(name), "%s, 64 B, burst 32, %s",
			 ports == PIPELINE_VRING ? "vring" : "memory", cases[i].name);
		if (!cycles_wants(c, name))
			continue;
		pipeline_prepare(p, &now);
		measure(c, p);
		cycles_case(c, name);
	}
}

// A quick run does the extremes.
static bool skipped(const struct cycles *c, const struct pipeline_case *now, const char *name)
{
	if (c->quick && (now->size == 512 || now->macs == 100 || now->burst == 4))
		return true;
	return !cycles_wants(c, name);
}

static void measure(struct cycles *c, struct pipeline *p)
{
	for (unsigned round = 0; round < c->rounds; round++) {
		uint64_t before = pipeline_delivered(p);

		pipeline_fill(p);
		round_of_stages(c, p, round);
		must_be_there(p, before);
		before = pipeline_delivered(p);
		pipeline_fill(p);
		cycles_sample(c, TOTAL, round, round_of_all(p));
		must_be_there(p, before);
	}
}

static void round_of_stages(struct cycles *c, struct pipeline *p, unsigned round)
{
	uint64_t clocks[PIPELINE_STAGES + 1], spent[PIPELINE_STAGES] = {0}, sum = 0;
	unsigned done = 0;

	while (done < PIPELINE_FRAMES) {
		done += step(p, done, clocks);
		for (unsigned i = 0; i < PIPELINE_STAGES; i++)
			spent[i] += clocks[i + 1] - clocks[i];
	}
	for (unsigned i = 0; i < PIPELINE_STAGES; i++) {
		cycles_sample(c, i, round, (double)spent[i] / PIPELINE_FRAMES);
		sum += spent[i];
	}
	cycles_sample(c, SUM, round, (double)sum / PIPELINE_FRAMES);
}

static double round_of_all(struct pipeline *p)
{
	uint64_t began = cycles_now();
	unsigned done = 0;

	while (done < PIPELINE_FRAMES)
		done += step(p, done, NULL);
	return (double)(cycles_now() - began) / PIPELINE_FRAMES;
}

// One burst; 'done' frames of the round went before it.
static unsigned step(struct pipeline *p, unsigned done, uint64_t *clocks)
{
	unsigned n;

	if (p->now.burst < VNBL_BURST_MAX)
		pipeline_offer(p, p->now.burst);
	else if (done == 0)
		pipeline_offer(p, PIPELINE_FRAMES);
	n = pipeline_burst(p, clocks);
	if (n == 0)
		cycles_fail("the switch does not take the frames");
	return n;
}

static void must_be_there(const struct pipeline *p, uint64_t before)
{
	uint64_t receivers = p->now.flood ? PIPELINE_PORTS - 1 : 1;
	uint64_t delivered = pipeline_delivered(p) - before;

	if (delivered != receivers * PIPELINE_FRAMES)
		cycles_fail("%u frames were sent and %lu delivered", PIPELINE_FRAMES,
			    (unsigned long)delivered);
}
