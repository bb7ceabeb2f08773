/*
 * `proc show`, `proc add`, `proc remove`, and `show procs`, which tells more of each.
 */
#include <errno.h>
#include <string.h>

#include "ports/log.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "switch/conf_value.h"
#include "switch/ctl_call.h"
#include "switch/ctl_show.h"
#include "switch/proc.h"
#include "switch/vswitch_pin.h"

static int run_show(struct ctl_call *call);
static int run_add(struct ctl_call *call);
static int run_remove(struct ctl_call *call);
static int read_number(struct ctl_call *call, const char *what, uint32_t *ret);
static void answer(struct ctl_call *call, unsigned number, unsigned core);
static void show(struct ctl_call *call, const struct out_column columns[], unsigned n_columns);
static json_t *proc_row(const struct proc *p);
static const char *stage_name(unsigned stage);

int ctl_proc(struct ctl_call *call)
{
	static const char *const words[] = {"show", "add", "remove"};
	static int (*const run[])(struct ctl_call *) = {run_show, run_add, run_remove};

	return ctl_run_second(call, words, run, sizeof(words) / sizeof(words[0]));
}

int ctl_show_procs(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"number", "PROC", .right = true},
		{"core", "CORE", .right = true},
		{"state", "STATE"},
		{"stage", "STAGE"},
		{"rxqs", "RXQS", .right = true},
		{"load", "LOAD%", .right = true},
		{"frames", "FRAMES", .right = true},
		{"bursts", "BURSTS", .right = true},
		{"sleeps", "SLEEPS", .right = true},
		{"timed_sleeps", "TIMED", .right = true},
		{"unwakeable", "UNWAKEABLE", .right = true},
		{"copy", "COPY"},
	};

	if (call->w->n > 2)
		return ctl_fail(call, 2, -EINVAL, "procs have no names; `show procs` takes none");
	show(call, columns, sizeof(columns) / sizeof(columns[0]));
	return 0;
}

static int run_show(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"number", "PROC", .right = true},       {"core", "CORE", .right = true},
		{"node", "NODE", .right = true},         {"state", "STATE"},
		{"rxqs", "QUEUES", .right = true},       {"load", "LOAD%", .right = true},
		{"frames_s", "FRAMES/S", .right = true},
	};

	if (call->w->n > 2)
		return ctl_fail(call, 2, -EINVAL, "`proc show` takes no name: it shows all");
	show(call, columns, sizeof(columns) / sizeof(columns[0]));
	return 0;
}

static int run_add(struct ctl_call *call)
{
	uint32_t core;
	int number, err;

	err = read_number(call, "a core", &core);
	if (err != 0)
		return err;
	number = proc_add(core, &call->error.text);
	if (number < 0) {
		call->error.word = 2;
		return number;
	}
	log_info("proc%d polls on core %u from now on", number, core);
	answer(call, (unsigned)number, core);
	return 0;
}

static int run_remove(struct ctl_call *call)
{
	unsigned core = 0;
	uint32_t number;
	int err;

	err = read_number(call, "the number of a proc", &number);
	if (err != 0)
		return err;
	if (proc_at(number) != NULL)
		core = proc_at(number)->core;
	err = proc_remove(number, &call->error.text);
	if (err != 0) {
		call->error.word = 2;
		return err;
	}
	log_info("proc%u on core %u is removed", number, core);
	vswitch_pin_warn(core);
	answer(call, number, core);
	return 0;
}

static int read_number(struct ctl_call *call, const char *what, uint32_t *ret)
{
	struct errtext why;

	if (call->w->n < 3)
		return ctl_fail(call, 2, -EINVAL, "something is missing at the end: %s", what);
	if (call->w->n > 3)
		return ctl_fail(call, 3, -EINVAL, "'%.60s' is too much: nothing may stand here",
				call->w->text[3]);
	if (conf_value_number(call->w->text[2], 0, UINT16_MAX, ret, &why) != 0)
		return ctl_fail(call, 2, -EINVAL, "%s: %s", what, why.text);
	return 0;
}

static void answer(struct ctl_call *call, unsigned number, unsigned core)
{
	out_begin(&call->out);
	out_value(&call->out, "number", json_integer(number));
	out_value(&call->out, "core", json_integer(core));
	out_end(&call->out);
}

static void show(struct ctl_call *call, const struct out_column columns[], unsigned n_columns)
{
	out_begin(&call->out);
	out_table_begin(&call->out, "procs", columns, n_columns);
	for (unsigned i = 0; i < PROC_MAX; i++)
		if (proc_at(i) != NULL)
			out_row(&call->out, proc_row(proc_at(i)));
	out_table_end(&call->out);
	out_end(&call->out);
}

static json_t *proc_row(const struct proc *p)
{
	unsigned stage = atomic_load(&p->stage);
	json_t *row = json_object();

	json_object_set_new(row, "number", json_integer(p->number));
	json_object_set_new(row, "name", json_string(p->obj.name));
	json_object_set_new(row, "core", json_integer(p->core));
	json_object_set_new(row, "node", p->node >= 0 ? json_integer(p->node) : json_null());
	json_object_set_new(row, "tid", json_integer(p->tid));
	json_object_set_new(row, "state",
			    json_string(stage == PROC_STAGE_SLEEP ? "asleep" : "polling"));
	json_object_set_new(row, "stage", json_string(stage_name(stage)));
	json_object_set_new(row, "rxqs", json_integer(atomic_load(&p->conf)->n_rxqs));
	json_object_set_new(row, "load", json_real(p->load / 10.0));
	json_object_set_new(row, "frames_s", json_integer(p->frames_s));
	json_object_set_new(row, "loops", json_integer((json_int_t)p->loops));
	json_object_set_new(row, "frames", json_integer((json_int_t)p->frames));
	json_object_set_new(row, "bursts", json_integer((json_int_t)p->bursts));
	json_object_set_new(row, "sleeps", json_integer((json_int_t)p->sleeps));
	json_object_set_new(row, "timed_sleeps", json_integer((json_int_t)p->timed_sleeps));
	json_object_set_new(row, "unwakeable", json_integer(p->unwakeable));
	json_object_set_new(row, "copy", json_string(p->copy_name));
	return row;
}

static const char *stage_name(unsigned stage)
{
	switch (stage) {
#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return text;
		PROC_STAGES(X)
#undef X
	}
	return "?";
}
