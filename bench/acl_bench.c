/*
 * What access control costs per frame, by the kind and number of a port's rules: frames from the VM
 * and frames to it, in bursts whose rules and flows are drawn at random.
 *
 * 'parse' is the reading of headers that every port with rules about IP pays for, which 'out' and
 * 'in' contain. With stateful rules 'out' finds its session, and 'in' is an answer that passes by
 * it against a rule that denies all; when the table is full, no frame out finds one nor room for
 * one, and what is measured is the refusal.
 *
 * Needs no network, and of DPDK no hugepages.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench/aclset.h"
#include "bench/cycles.h"
#include "bench/stations.h"
#include "ports/drops.h"
#include "ports/vnbl.h"
#include "switch/acl.h"
#include "switch/acl_make.h"
#include "switch/parse.h"
#include "tests/unit/eal.h"

enum {
	FRAMES = 6400, // of one round, each way
	ROUNDS = 100,
	SIZE = 64,
	NOW_S = 1000,
	FULL = 16, // sessions of a table that is full
	STRANGERS = 1000
};

enum column { PARSE, OUT, IN, COLUMNS };

struct test {
	struct aclset set;
	uint32_t flows; // that frames are drawn of, for each rule
	uint32_t sessions;
	unsigned burst;
	bool refuses;
};

static struct vnbl frames[VNBL_BURST_MAX];
static struct vnbl *pointers[VNBL_BURST_MAX];
static uint64_t state = STATIONS_SEED;

static void measure_sets(struct cycles *c, bool is_ipv6, unsigned burst);
static void measure_stateful(struct cycles *c, unsigned burst);
static void measure(struct cycles *c, const struct test *t, const char *name);
static struct acl *make(const struct test *t);
static void round_measure(struct cycles *c, const struct test *t, const struct acl *acl,
			  unsigned round);
static void burst_fill(const struct test *t, enum column column);
static uint64_t burst_measure(const struct test *t, const struct acl *acl, enum column column);

int main(int argc, char **argv)
{
	static const char *const columns[COLUMNS] = {"parse", "out", "in"};
	static struct cycles c;

	cycles_init(&c, "acl", "What access control costs per frame, by a port's rules.", ROUNDS,
		    argc, argv);
	if (eal_start() < 0)
		cycles_fail("cannot start DPDK");
	cycles_pin(&c, 0);
	cycles_say(&c, "TSC cycles per frame, median of %u rounds of %d frames; rules each way",
		   c.rounds, FRAMES);
	cycles_table(&c, "", columns, COLUMNS);
	for (unsigned burst = VNBL_BURST_MAX; burst > 0; burst = burst > 4 ? 4 : burst / 4) {
		if (c.quick && burst != VNBL_BURST_MAX)
			continue;
		measure_sets(&c, false, burst);
		measure_sets(&c, true, burst);
		measure_stateful(&c, burst);
	}
	cycles_fini(&c);
	return 0;
}

static void measure_sets(struct cycles *c, bool is_ipv6, unsigned burst)
{
	static const uint32_t counts[] = {1, 10, 100, 1000};
	char name[64];

	for (unsigned i = 0; i < 2 * sizeof(counts) / sizeof(counts[0]); i++) {
		struct test t = {.burst = burst, .flows = 1, .sessions = 1};

		t.set = (struct aclset){.kind = i % 2 == 0 ? ACLSET_BASIC : ACLSET_EXTENDED,
					.is_ipv6 = is_ipv6,
					.n = counts[i / 2]};
		if (c->quick && t.set.n != 10 && t.set.n != 1000)
			continue;
		snprintf(name, sizeof(name), "%s, %s, %" PRIu32 " rules, burst %u",
			 is_ipv6 ? "IPv6" : "IPv4", i % 2 == 0 ? "basic" : "extended", t.set.n,
			 burst);
		measure(c, &t, name);
	}
}

static void measure_stateful(struct cycles *c, unsigned burst)
{
	static const struct {
		uint32_t rules, flows;
		const char *sessions;
	} cases[] = {{10, 1, "5 flows"},
		     {1000, 1, "500 flows"},
		     {1000, 8, "4000 flows"},
		     {1000, 40, "20000 flows"},
		     {1000, 50, "full table"}};
	char name[64];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct test t = {
			.set = {.kind = ACLSET_STATEFUL, .n = cases[i].rules},
			.burst = burst,
			.flows = cases[i].flows,
			.refuses = cases[i].flows == 50,
			.sessions = cases[i].flows == 50 ? FULL : cases[i].rules * cases[i].flows};

		snprintf(name, sizeof(name), "stateful, %" PRIu32 " rules, %s, burst %u",
			 cases[i].rules, cases[i].sessions, burst);
		measure(c, &t, name);
	}
}

static void measure(struct cycles *c, const struct test *t, const char *name)
{
	struct acl *acl;

	if (!cycles_wants(c, name))
		return;
	acl = make(t);
	for (unsigned round = 0; round < c->rounds; round++)
		round_measure(c, t, acl, round);
	cycles_case(c, name);
	acl_destroy(acl);
}

// With all sessions in it that there can be.
static struct acl *make(const struct test *t)
{
	static struct acl_rule rules[ACL_RULES_MAX];
	const struct acl_limits limits = {.sessions = t->sessions};
	const bool is_stateful = t->set.kind == ACLSET_STATEFUL;
	uint8_t reason;
	struct acl *acl;
	struct errtext e;

	if (acl_make(rules, aclset_rules(&t->set, rules), &limits, NULL, &acl, &e) < 0)
		cycles_fail("%s", e.text);
	for (uint32_t i = 0; is_stateful && i < t->set.n * t->flows; i++) {
		vnbl_reset(&frames[0]);
		frames[0].frame_size = frames[0].safe_size = SIZE;
		pointers[0] = &frames[0];
		aclset_frame(&t->set, i % t->set.n, i / t->set.n + (t->refuses ? STRANGERS : 0),
			     false, frames[0].hdr, SIZE);
		acl_decide_burst(acl, ACL_OUT, pointers, 1, 0, NOW_S, &reason);
	}
	return acl;
}

static void round_measure(struct cycles *c, const struct test *t, const struct acl *acl,
			  unsigned round)
{
	for (unsigned column = 0; column < COLUMNS; column++) {
		uint64_t spent = 0;

		for (unsigned done = 0; done < FRAMES; done += t->burst) {
			burst_fill(t, column);
			spent += burst_measure(t, acl, column);
		}
		cycles_sample(c, column, round, (double)spent / FRAMES);
	}
}

static void burst_fill(const struct test *t, enum column column)
{
	for (unsigned i = 0; i < t->burst; i++) {
		vnbl_reset(&frames[i]);
		frames[i].frame_size = frames[i].safe_size = SIZE;
		pointers[i] = &frames[i];
		aclset_frame(&t->set, station_draw(&state, t->set.n),
			     station_draw(&state, t->flows), column == IN, frames[i].hdr, SIZE);
	}
}

static uint64_t burst_measure(const struct test *t, const struct acl *acl, enum column column)
{
	const unsigned expected =
		t->refuses ? column == OUT ? DROP_Resources : DROP_FailedSecurityPolicy
			   : DROP_COUNT;
	uint8_t reasons[VNBL_BURST_MAX];
	uint64_t began = cycles_now();

	if (column == PARSE) {
		struct parse p;

		for (unsigned i = 0; i < t->burst; i++)
			parse_frame(pointers[i], &p);
		return cycles_now() - began;
	}
	acl_decide_burst(acl, column == OUT ? ACL_OUT : ACL_IN, pointers, t->burst, 0, NOW_S,
			 reasons);
	began = cycles_now() - began;
	for (unsigned i = 0; i < t->burst; i++)
		if (reasons[i] != expected)
			cycles_fail("a frame is not decided as it should be: %u", reasons[i]);
	return began;
}
