/*
 * vswbench: plays the guests of a vhost-user switch and measures it.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/attach.h"
#include "bench/ceiling.h"
#include "bench/options.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_SWITCH = 3, EXIT_INTERRUPTED = 130 };

struct ceiling {
	int err; // 0: measured
	double pps;
	bool alone;
};

static void catch_signals(void);
static void on_signal(int signal_number);
static struct gen_conf make_conf(const struct bench_options *o, const struct bench_test *test);
static int make_guests(struct bench *b, const struct gen_conf *conf);
static int meet_switch(struct bench *b, struct errtext *e);
static int meet_null(struct bench *b, bool *alone_ret, struct errtext *e);
static struct report *begin_report(const struct bench *b, const struct ceiling *c);
static void report_switch_of(struct report *r, const struct bench *b);
static void report_settings(struct report *r, const struct bench_options *o, const struct gen *gen);
static void report_own_settings(struct report *r, const struct bench_options *o);
static void own_setting(struct report *r, const char *test, const char *option, const char *key,
			json_t *value);
static json_t *loads_of(const struct bench_options *o);
static void report_ceiling_of(struct report *r, const struct bench_options *o,
			      const struct ceiling *c);
static int run_test(struct bench *b);
static int give_up(int code, const char *text);

int main(int argc, char **argv)
{
	static struct bench b; // too large for a stack
	static struct gen_conf conf;
	struct ceiling ceiling = {.err = -ENODATA, .pps = NAN, .alone = true};
	struct bench_options o;
	struct errtext e = {0};
	int code = options_parse(argc, argv, &o, &e);

	if (code != 0)
		return code > 0 ? EXIT_SUCCESS : give_up(EXIT_USAGE, e.text);
	catch_signals();
	b.o = &o;
	b.test = options_test(o.test);
	conf = make_conf(&o, b.test);
	if (gen_pin(o.core) != 0)
		return give_up(EXIT_USAGE, "--core: the guests may not run on that core");
	if (o.no_ceiling == NULL && !o.null_only)
		ceiling.err = ceiling_measure(&o, &conf, &ceiling.pps, &ceiling.alone);
	code = make_guests(&b, &conf);
	if (code != 0)
		return code;
	b.ceiling_pps = ceiling.pps;
	code = o.null_only ? meet_null(&b, &ceiling.alone, &e) : meet_switch(&b, &e);
	if (code == 0 || code == EXIT_INTERRUPTED) {
		b.r = begin_report(&b, &ceiling);
		code = b.r != NULL ? run_test(&b) : give_up(EXIT_USAGE, "out of memory");
	} else {
		give_up(code, e.text);
	}
	gen_null_stop(b.gen);
	gen_destroy(b.gen);
	return code;
}

static void catch_signals(void)
{
	// Once: the second one ends the program, whatever it waits for.
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void on_signal(int signal_number)
{
	bench_interrupted = true;
}

static struct gen_conf make_conf(const struct bench_options *o, const struct bench_test *test)
{
	struct gen_conf conf = {
		.n_guests = o->n_guests,
		.kind = o->kind,
		.size = o->size,
		.ring_size = o->ring_size,
		.chain = o->chain,
		.rx_buffer = o->rx_buffer,
		.packed = o->packed,
		.indirect = o->indirect,
		.huge = o->huge,
		.reconnect = test->needs & BENCH_RECONNECTS,
		.timeout_s = o->timeout_s,
		.stop = &bench_interrupted,
	};

	memcpy(conf.sockets, o->sockets, sizeof(conf.sockets));
	memcpy(conf.server, o->server, sizeof(conf.server));
	test->plan(o, &conf);
	return conf;
}

static int make_guests(struct bench *b, const struct gen_conf *conf)
{
	int err = gen_create(conf, &b->gen);
	char text[256];

	if (err == 0)
		return 0;
	if (err == -ENOMEM && conf->huge)
		return give_up(EXIT_USAGE, "--huge: there are not enough free huge pages: write a "
					   "number to /proc/sys/vm/nr_hugepages, or leave it out");
	if (err == -EINVAL)
		return give_up(EXIT_USAGE, "--ring, --chain, --size, --rx-buffer and the number of "
					   "guests do not fit together");
	snprintf(text, sizeof(text), "the guests cannot be made: %s", strerror(-err));
	return give_up(EXIT_USAGE, text);
}

static int meet_switch(struct bench *b, struct errtext *e)
{
	int err;

	if (bench_interrupted)
		return EXIT_INTERRUPTED;
	if (isatty(STDERR_FILENO))
		fputs("connecting ...", stderr);
	err = attach_switch(b, e);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (bench_interrupted)
		return EXIT_INTERRUPTED;
	return err == 0 ? 0 : EXIT_NO_SWITCH;
}

static int meet_null(struct bench *b, bool *alone_ret, struct errtext *e)
{
	int err = gen_null_start(b->gen, b->o->null_core, alone_ret);

	if (err == 0)
		return 0;
	errtext_set(e, err, "the null back end does not start: %s", strerror(-err));
	return EXIT_USAGE;
}

static struct report *begin_report(const struct bench *b, const struct ceiling *c)
{
	struct report *r = report_begin(b->test->name, b->o->json);

	if (r == NULL)
		return NULL;
	report_say(r, "%s: %s (%s)", b->test->name, b->test->meaning, b->test->source);
	report_switch_of(r, b);
	report_settings(r, b->o, b->gen);
	report_ceiling_of(r, b->o, c);
	return r;
}

static void report_switch_of(struct report *r, const struct bench *b)
{
	json_t *sockets, *roles;
	char name[64] = "?";

	if (b->o->null_only) {
		report_switch(r, "name", json_string("null"));
		return;
	}
	if (b->pid > 0)
		swproc_name(b->pid, name, sizeof(name));
	sockets = json_array();
	roles = json_array();
	for (unsigned i = 0; i < b->o->n_guests; i++) {
		json_array_append_new(sockets, json_string(b->o->sockets[i]));
		json_array_append_new(roles, json_string(b->o->server[i] ? "server" : "client"));
	}
	report_switch(r, "name", json_string(name));
	report_switch(r, "pid", b->pid > 0 ? json_integer(b->pid) : json_null());
	report_switch(r, "guest_sockets", sockets);
	report_switch(r, "guest_roles", roles);
}

static void report_settings(struct report *r, const struct bench_options *o, const struct gen *gen)
{
	static const char *const patterns[] = {"two-way", "one-way", "mesh"};
	bool by_pattern = options_test(o->test)->plan == plan_pattern;

	report_setting(r, "guests", json_integer(o->n_guests));
	report_setting(r, "kind", json_string(options_kind_name(o->kind)));
	report_setting(r, "pattern", json_string(by_pattern ? patterns[o->pattern] : o->test));
	report_setting(r, "size",
		       o->size == GEN_IMIX ? json_string("imix") : json_integer(o->size));
	report_setting(r, "mean_size", json_real(gen_mean_size(gen)));
	report_setting(r, "vlan", o->vlan ? json_integer(o->vlan) : json_null());
	report_setting(r, "pcp", o->vlan ? json_integer(o->pcp) : json_null());
	report_setting(r, "ring", json_integer(o->ring_size));
	report_setting(r, "packed", json_boolean(o->packed));
	report_setting(r, "chain", json_integer(o->chain));
	report_setting(r, "indirect", json_boolean(o->indirect));
	report_setting(r, "rx_buffer", o->rx_buffer ? json_integer(o->rx_buffer) : json_null());
	report_setting(r, "huge", json_boolean(o->huge));
	report_setting(r, "rate_pps", o->pps > 0 ? json_real(o->pps) : json_null());
	report_own_settings(r, o);
	report_setting(r, "core", json_integer(o->core));
	report_setting(r, "tsc_ghz", json_real(gen_tsc_hz() / 1e9));
}

// Those that not every test has.
static void report_own_settings(struct report *r, const struct bench_options *o)
{
	const char *t = o->test;

	own_setting(r, t, "src-macs", "src_macs", json_integer(o->src_macs));
	own_setting(r, t, "dst-macs", "dst_macs", json_integer(o->dst_macs));
	own_setting(r, t, "seconds", "seconds", json_real(o->seconds));
	own_setting(r, t, "warm-up", "warm_up_s", json_real(o->warm_up_s));
	own_setting(r, t, "resolution", "resolution_pct", json_real(100 * o->resolution));
	own_setting(r, t, "repeats", "repeats", json_integer(o->repeats));
	own_setting(r, t, "loss", "loss_allowed_pct", json_real(100 * o->loss_allowed));
	own_setting(r, t, "load", "loads_pct", loads_of(o));
	own_setting(r, t, "learn-pps", "learn_pps",
		    o->learn_pps > 0 ? json_real(o->learn_pps) : json_null());
	own_setting(r, t, "stations", "most_stations",
		    o->stations ? json_integer(o->stations) : json_null());
	own_setting(r, t, "age", "age_s", json_real(o->age_s));
	own_setting(r, t, "command", "command", json_string(o->command));
	own_setting(r, t, "interval", "interval_s", json_real(o->interval_s));
}

// Takes 'value'.
static void own_setting(struct report *r, const char *test, const char *option, const char *key,
			json_t *value)
{
	if (options_is_for(option, options_test(test)))
		report_setting(r, key, value);
	else
		json_decref(value);
}

// Null: the test's own.
static json_t *loads_of(const struct bench_options *o)
{
	json_t *loads = o->n_loads ? json_array() : json_null();

	for (unsigned i = 0; i < o->n_loads; i++)
		json_array_append_new(loads, json_real(o->loads[i]));
	return loads;
}

static void report_ceiling_of(struct report *r, const struct bench_options *o,
			      const struct ceiling *c)
{
	report_ceiling(r, c->pps / 1e6);
	if (o->null_only)
		report_say(r, "There is no switch: all results are the generator's own.");
	else if (o->no_ceiling != NULL)
		report_say(r, "The generator's own ceiling is not known: %s.", o->no_ceiling);
	else if (c->err != 0)
		report_say(r, "The generator's own ceiling could not be measured: %s.",
			   strerror(-c->err));
	report_setting(r, "null_alone",
		       c->err == 0 || o->null_only ? json_boolean(c->alone) : json_null());
	if (!c->alone)
		report_say(r,
			   "The null back end shared core %d with others (it may not have "
			   "real-time priority), so the true ceiling may be higher.",
			   o->null_core);
}

static int run_test(struct bench *b)
{
	int err = bench_interrupted ? 0 : b->test->run(b);
	bool ok;

	if (err != 0 && !bench_interrupted) {
		struct errtext e;

		attach_explain_loss(b, err, &e);
		report_verdict(b->r, false, "%s", e.text);
	}
	ok = report_end(b->r, bench_interrupted);
	if (bench_interrupted)
		return EXIT_INTERRUPTED;
	return ok ? EXIT_SUCCESS : EXIT_FAILED;
}

static int give_up(int code, const char *text)
{
	fprintf(stderr, "vswbench: %s\n", text);
	return code;
}
