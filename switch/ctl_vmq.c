/*
 * `vmq show`, `vmq pin`, `vmq unpin`. A pin is part of the port's configuration; the commands
 * are short for `port set NAME vmq-pin LIST`.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ports/log.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "switch/conf_value.h"
#include "switch/conf_vmq.h"
#include "switch/cores.h"
#include "switch/ctl_call.h"
#include "switch/ctl_show.h"
#include "switch/proc.h"
#include "switch/root.h"
#include "switch/vswitch.h"

enum { CORES_SIZE = 80, PROCESSOR_SIZE = 16, TIME_SIZE = 32 };

static int run_show(struct ctl_call *call);
static int run_moves(struct ctl_call *call);
static int run_pin(struct ctl_call *call);
static int run_unpin(struct ctl_call *call);
static void port_rows(struct ctl_call *call, const struct vport *port);
static json_t *move_row(const struct vmq_move *m);
static json_t *queue_row(const struct vport *port, const struct vnic_rxq *rxq,
			 const struct conf_policy *policy);
static int read_port(struct ctl_call *call, const struct conf_port **ret);
static int read_queue(struct ctl_call *call, const struct conf_port *p, unsigned word,
		      uint32_t *ret);
static int read_core(struct ctl_call *call, unsigned word, uint32_t *ret);
static int set_pins(struct ctl_call *call, const struct conf_port *p, const struct conf_vmq *vmq);

int ctl_vmq(struct ctl_call *call)
{
	static const char *const words[] = {"show", "moves", "pin", "unpin"};
	static int (*const run[])(struct ctl_call *) = {run_show, run_moves, run_pin, run_unpin};

	return ctl_run_second(call, words, run, sizeof(words) / sizeof(words[0]));
}

static int run_show(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"name", "NAME"},
		{"queue_id", "QUEUEID", .right = true},
		{"mac", "MACADDRESS"},
		{"vlan", "VLANID"},
		{"processor", "PROCESSOR", .right = true},
		{"vm", "VMFRIENDLYNAME"},
		{"proc", "PROC", .right = true},
		{"load", "LOAD%", .right = true},
		{"frames_s", "FRAMES/S", .right = true},
		{"moves", "MOVES", .right = true},
		{"pinned_core", "PINNED", .right = true},
	};
	struct vswitch *sw;
	struct vport *port;
	int err;

	if (call->w->n > 3)
		return ctl_fail(call, 3, -EINVAL, "'%.60s' is too much: nothing may stand here",
				call->w->text[3]);
	err = ctl_show_name(call, &sw, &port);
	if (err != 0)
		return err;
	out_begin(&call->out);
	out_table_begin(&call->out, "queues", columns, sizeof(columns) / sizeof(columns[0]));
	ctl_show_for_ports(call, port_rows);
	out_table_end(&call->out);
	out_end(&call->out);
	return 0;
}

// The latest first.
static int run_moves(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"time", "TIME"},
		{"port", "PORT"},
		{"queue", "QUEUE", .right = true},
		{"from", "FROM", .right = true},
		{"to", "TO", .right = true},
		{"reason", "REASON"},
		{"load", "LOAD%", .right = true},
		{"from_load", "FROM-LOAD%", .right = true},
		{"to_load", "TO-LOAD%", .right = true},
		{"from_after", "FROM-AFTER%", .right = true},
		{"to_after", "TO-AFTER%", .right = true},
	};
	const struct vmq_moves *moves = &vsw_root.moves;

	if (call->w->n > 2)
		return ctl_fail(call, 2, -EINVAL, "'%.60s' is too much: nothing may stand here",
				call->w->text[2]);
	out_begin(&call->out);
	out_table_begin(&call->out, "moves", columns, sizeof(columns) / sizeof(columns[0]));
	for (uint64_t i = 1; i <= moves->n && i <= VMQ_MOVES_KEPT; i++)
		out_row(&call->out, move_row(&moves->kept[(moves->n - i) % VMQ_MOVES_KEPT]));
	out_table_end(&call->out);
	out_value(&call->out, "moves_so_far", json_integer((json_int_t)moves->n));
	out_end(&call->out);
	return 0;
}

// vmq pin PORT [QUEUE] CORE
static int run_pin(struct ctl_call *call)
{
	const struct conf_port *p;
	struct conf_vmq vmq;
	uint32_t queue, core;
	unsigned at;
	int err;

	err = read_port(call, &p);
	if (err != 0)
		return err;
	if (call->w->n < 4)
		return ctl_fail(call, 3, -EINVAL,
				"something is missing at the end: [QUEUE] CORE of a proc");
	at = call->w->n > 4 ? 4 : 3;
	if (call->w->n > 5)
		return ctl_fail(call, 5, -EINVAL, "'%.60s' is too much: nothing may stand here",
				call->w->text[5]);
	err = at == 4 ? read_queue(call, p, 3, &queue) : 0;
	if (err == 0)
		err = read_core(call, at, &core);
	if (err != 0)
		return err;
	vmq = p->vmq;
	for (unsigned q = 0; q == 0 || q < p->queues; q++)
		if (at == 3 || q == queue)
			vmq.pinned[q] = (uint16_t)(core + 1);
	return set_pins(call, p, &vmq);
}

// vmq unpin PORT [QUEUE]
static int run_unpin(struct ctl_call *call)
{
	const struct conf_port *p;
	struct conf_vmq vmq;
	uint32_t queue;
	int err;

	err = read_port(call, &p);
	if (err != 0)
		return err;
	if (call->w->n > 4)
		return ctl_fail(call, 4, -EINVAL, "'%.60s' is too much: nothing may stand here",
				call->w->text[4]);
	vmq = p->vmq;
	if (call->w->n == 4) {
		err = read_queue(call, p, 3, &queue);
		if (err != 0)
			return err;
		vmq.pinned[queue] = 0;
	} else {
		memset(&vmq, 0, sizeof(vmq));
	}
	return set_pins(call, p, &vmq);
}

static void port_rows(struct ctl_call *call, const struct vport *port)
{
	const struct conf_port *p = conf_port_find(change_conf(call->change), port->obj.name);

	for (unsigned q = 0; port->nic != NULL && q < port->nic->n_queues; q++)
		out_row(&call->out, queue_row(port, &port->nic->rxq[q], &p->policy));
}

static json_t *move_row(const struct vmq_move *m)
{
	static const char *const reasons[] = {
#define X(number, name, text) [number] = text,
		VMQ_REASONS(X)
#undef X
	};
	char text[TIME_SIZE] = "";
	json_t *row = json_object();
	time_t time_s = m->time_s;
	struct tm tm;

	localtime_r(&time_s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	json_object_set_new(row, "time", json_string(text));
	json_object_set_new(row, "time_s", json_integer(m->time_s));
	json_object_set_new(row, "port", out_string(m->port));
	json_object_set_new(row, "queue", json_integer(m->queue));
	json_object_set_new(row, "from", json_integer(m->from));
	json_object_set_new(row, "to", json_integer(m->to));
	json_object_set_new(row, "reason", json_string(reasons[m->reason]));
	json_object_set_new(row, "load", json_real(m->load / 10.0));
	json_object_set_new(row, "from_load", json_real(m->from_load / 10.0));
	json_object_set_new(row, "to_load", json_real(m->to_load / 10.0));
	json_object_set_new(row, "from_after", json_real(m->from_after / 10.0));
	json_object_set_new(row, "to_after", json_real(m->to_after / 10.0));
	return row;
}

// HYPERV 3.8. Queues have no filters of their own: what a queue receives is all of its port's.
static json_t *queue_row(const struct vport *port, const struct vnic_rxq *rxq,
			 const struct conf_policy *policy)
{
	const struct proc *p = proc_at(atomic_load(&rxq->proc));
	char processor[PROCESSOR_SIZE];
	json_t *row = json_object();

	json_object_set_new(row, "name", out_string(port->obj.name));
	json_object_set_new(row, "switch", out_string(port->vswitch->obj.name));
	json_object_set_new(row, "queue_id", json_integer(rxq->index));
	json_object_set_new(row, "mac",
			    port->mac_set        ? ctl_show_mac(port->mac)
			    : port->nic->mac_set ? ctl_show_mac(port->nic->mac)
						 : json_null());
	json_object_set_new(row, "vlan",
			    policy->vlan.is_set && policy->vlan.mode == VLAN_ACCESS
				    ? json_integer(policy->vlan.own)
				    : json_null());
	snprintf(processor, sizeof(processor), "0:%u", p != NULL ? p->core : 0);
	json_object_set_new(row, "processor", p != NULL ? json_string(processor) : json_null());
	json_object_set_new(row, "vm",
			    policy->vm[0] != '\0' ? out_string(policy->vm) : json_null());
	json_object_set_new(row, "proc", p != NULL ? json_integer(p->number) : json_null());
	json_object_set_new(row, "load", json_real(rxq->load / 10.0));
	json_object_set_new(row, "frames_s", json_integer(rxq->frames_s));
	json_object_set_new(row, "frames", json_integer((json_int_t)rxq->frames));
	json_object_set_new(row, "bursts", json_integer((json_int_t)rxq->bursts));
	json_object_set_new(row, "moves", json_integer((json_int_t)rxq->moves));
	json_object_set_new(row, "pinned_core",
			    rxq->pinned != 0 ? json_integer(rxq->pinned - 1) : json_null());
	json_object_set_new(row, "is_pinned",
			    json_boolean(p != NULL && p->core + 1 == rxq->pinned));
	return row;
}

static int read_port(struct ctl_call *call, const struct conf_port **ret)
{
	struct vswitch *sw;
	struct vport *port;
	int err;

	if (call->w->n < 3)
		return ctl_fail(call, 2, -EINVAL, "something is missing at the end: a port");
	err = ctl_show_name(call, &sw, &port);
	if (err != 0)
		return err;
	if (port == NULL)
		return ctl_fail(call, 2, -EINVAL, "'%s' is a switch; ports have queues",
				sw->obj.name);
	if (port->nic == NULL)
		return ctl_fail(call, 2, -EINVAL, "'%s' has no NIC, and so no queues",
				port->obj.name);
	*ret = conf_port_find(change_conf(call->change), port->obj.name);
	return 0;
}

static int read_queue(struct ctl_call *call, const struct conf_port *p, unsigned word,
		      uint32_t *ret)
{
	const unsigned n = p->queues > 0 ? p->queues : 1;
	struct errtext why;

	if (conf_value_number(call->w->text[word], 0, UINT16_MAX, ret, &why) != 0)
		return ctl_fail(call, word, -EINVAL, "a queue: %s", why.text);
	if (*ret >= n)
		return ctl_fail(call, word, -ENOENT,
				"'%s' has no queue %u; it has %u, the first is 0", p->name, *ret,
				n);
	return 0;
}

// Of a proc: a core without one would poll nothing.
static int read_core(struct ctl_call *call, unsigned word, uint32_t *ret)
{
	char cores[CORES_SIZE];
	struct errtext why;
	cpu_set_t set;
	int err;

	if (conf_value_number(call->w->text[word], 0, UINT16_MAX, ret, &why) != 0)
		return ctl_fail(call, word, -EINVAL, "a core: %s", why.text);
	err = cores_check(*ret, &why);
	if (err != 0)
		return ctl_fail(call, word, err, "%s", why.text);
	if (proc_on_core(*ret) != NULL)
		return 0;
	CPU_ZERO(&set);
	for (unsigned i = 0; i < PROC_MAX; i++)
		if (proc_at(i) != NULL)
			CPU_SET(proc_at(i)->core, &set);
	cores_text(&set, cores, sizeof(cores));
	return ctl_fail(call, word, -ENOENT,
			"no proc is on core %u, but on %s; `proc add %u` makes one", *ret, cores,
			*ret);
}

static int set_pins(struct ctl_call *call, const struct conf_port *p, const struct conf_vmq *vmq)
{
	char pins[CONF_VMQ_PINS_SIZE], name[OBJECT_NAME_SIZE];
	struct words words = {.n = 5, .text = {"port", "set", name, "vmq-pin", pins}};
	struct conf_edit edit;
	int err;

	memcpy(name, p->name, sizeof(name));
	conf_vmq_pins_text(vmq, pins);
	err = change_run(call->change, &words, -1, &edit, &call->error);
	if (err != 0) {
		call->error.word = 0;
		return err;
	}
	log_info("vmq %s '%s': %s", call->w->text[1], name, pins);
	out_begin(&call->out);
	out_value(&call->out, "name", out_string(name));
	out_value(&call->out, "vmq_pin", json_string(pins));
	out_end(&call->out);
	return 0;
}
