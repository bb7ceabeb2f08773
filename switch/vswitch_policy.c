#include "switch/vswitch_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ports/object.h"
#include "switch/conf.h"
#include "switch/conntrack.h"
#include "switch/fdb.h"
#include "switch/policy.h"
#include "switch/policy_make.h"
#include "switch/proc.h"

enum { SWEEP_TICKS = 4 }; // in so many a port's sessions are passed over once

// What is to become of a port.
struct next {
	struct vport *port;
	struct policy *policy;
	struct vport_pin pin;
	bool is_pinned; // the table has it already
	bool is_put;    // 'policy' is the one that was replaced
	uint8_t monitor_mode;
	uint8_t session;
};

struct plan {
	struct vswitch *sw;
	struct vlan_fids *fids;
	struct vswitch_mirrors *mirrors;
	uint32_t n;
	struct next ports[];
};

static int plan_make(struct vswitch *sw, const struct conf *conf, struct plan **ret,
		     struct errtext *e);
static int plan_mirrors(struct plan *plan);
static const struct conf_port *find_from(const struct conf *conf, const char *name,
					 uint32_t *x_cursor);
static int plan_pin(struct plan *plan, struct errtext *e);
static bool plan_put(struct plan *plan);
static void plan_commit(struct plan *plan);
static void plan_free(struct plan *plan);
static void plan_unpin(struct plan *plan);
static void put_monitor(const struct next *next);
static void put_policy(struct next *next);
static struct vport_pin pin_of(const struct conf_port *p, const struct policy *policy,
			       const struct vlan_fids *fids);
static bool pin_same(const struct vport_pin *a, const struct vport_pin *b);
static int pin_put(struct vport *port, const struct vport_pin *pin, struct errtext *e);
static void pin_take(struct vport *port, const struct vport_pin *pin);
static int fail_owned(const struct vswitch *sw, uint16_t slot, struct errtext *e);

int vswitch_policy_init(struct vport *port, const struct conf_port *conf, struct errtext *e)
{
	const struct conf alone = {.n_ports = 0};
	struct fdb *fdb = atomic_load(&port->vswitch->fdb);
	struct policy *policy;
	struct vport_pin pin;
	int rc = policy_make(&alone, conf, NULL, &policy, e);

	if (rc < 0)
		return rc;
	pin = pin_of(conf, policy, atomic_load(&fdb->fids));
	rc = pin_put(port, &pin, e);
	if (rc < 0) {
		policy_free(policy, NULL);
		return rc;
	}
	port->pin = pin;
	port->is_wire = conf_port_is_wire(conf);
	atomic_store_explicit(&port->policy, policy, memory_order_release);
	return 0;
}

void vswitch_policy_fini(struct vport *port)
{
	struct vswitch_mirrors *mirrors = atomic_load(&port->vswitch->mirrors);
	struct fdb *fdb = atomic_load(&port->vswitch->fdb);

	// The next port with this slot may be there before the mirrors are replaced.
	for (uint32_t i = 0; mirrors != NULL && i < mirrors->n; i++)
		if (mirrors->to[i].slot == port->slot)
			atomic_store(&mirrors->to[i].session, 0);
	fdb_disown(fdb, port->slot);
	policy_free(atomic_exchange(&port->policy, NULL), NULL);
}

int vswitch_policy_update(struct vswitch *sw, const struct conf *conf, struct errtext *e)
{
	struct plan *plan = NULL;
	int rc = plan_make(sw, conf, &plan, e);

	if (rc < 0)
		return rc;
	rc = plan_pin(plan, e);
	if (rc == 0 && plan_put(plan)) {
		proc_synchronize();
		// What was replaced hangs in the plan now, and no proc has it any more.
		plan_commit(plan);
	}
	plan_free(plan);
	return rc;
}

void vswitch_policy_tick(struct vport *port, uint32_t now_s)
{
	const struct policy *policy = atomic_load(&port->policy);
	struct acl *acl = policy != NULL ? policy->acl : NULL;
	struct conntrack *ct = acl != NULL ? acl->sessions : NULL;

	if (ct != NULL)
		conntrack_sweep(ct, now_s, (ct->n_buckets + SWEEP_TICKS - 1) / SWEEP_TICKS,
				&acl->swept);
}

void vswitch_policy_pin(struct vport *port)
{
	pin_put(port, &port->pin, NULL);
}

static int plan_make(struct vswitch *sw, const struct conf *conf, struct plan **ret,
		     struct errtext *e)
{
	struct plan *plan = calloc(1, sizeof(*plan) + sw->n_ports * sizeof(plan->ports[0]));
	uint32_t cursor = 0;
	int rc;

	if (plan == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	plan->sw = sw;
	rc = policy_make_fids(conf, sw->obj.name, &plan->fids);
	if (rc < 0)
		errtext_set(e, rc, "out of memory");
	for (; rc == 0 && plan->n < sw->n_ports; plan->n++) {
		struct next *next = &plan->ports[plan->n];
		const struct conf_port *p = find_from(conf, sw->ports[plan->n]->obj.name, &cursor);

		next->port = sw->ports[plan->n];
		rc = policy_make(conf, p, atomic_load(&next->port->policy), &next->policy, e);
		next->pin = pin_of(p, next->policy, plan->fids);
		next->monitor_mode = p->policy.mirror;
		next->session = p->policy.session;
	}
	if (rc == 0) {
		rc = plan_mirrors(plan);
		if (rc < 0)
			errtext_set(e, rc, "out of memory");
	}
	if (rc < 0) {
		plan_free(plan);
		return rc;
	}
	*ret = plan;
	return 0;
}

static int plan_mirrors(struct plan *plan)
{
	struct vswitch_mirrors mirrors = {.n = 0};

	for (uint32_t i = 0; i < plan->n; i++) {
		const struct next *next = &plan->ports[i];

		if (next->monitor_mode != VPORT_MONITOR_DESTINATION ||
		    mirrors.n == VPORT_MIRRORS_MAX)
			continue;
		mirrors.to[mirrors.n].slot = next->port->slot;
		mirrors.to[mirrors.n++].session = next->session;
	}
	if (mirrors.n == 0)
		return 0;
	plan->mirrors = malloc(sizeof(mirrors));
	if (plan->mirrors == NULL)
		return -ENOMEM;
	*plan->mirrors = mirrors;
	return 0;
}

// The ports of a switch come in the same order in both.
static const struct conf_port *find_from(const struct conf *conf, const char *name,
					 uint32_t *x_cursor)
{
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		const struct conf_port *p = &conf->ports[(*x_cursor + i) % conf->n_ports];

		if (strcmp(p->name, name) != 0)
			continue;
		*x_cursor += i + 1;
		return p;
	}
	return NULL;
}

// Puts all addresses into the table that are not there; what they replace stays so long.
static int plan_pin(struct plan *plan, struct errtext *e)
{
	for (uint32_t i = 0; i < plan->n; i++) {
		struct next *next = &plan->ports[i];
		int rc;

		if (pin_same(&next->pin, &next->port->pin))
			continue;
		rc = pin_put(next->port, &next->pin, e);
		if (rc < 0) {
			plan_unpin(plan);
			return rc;
		}
		next->is_pinned = true;
	}
	return 0;
}

static void plan_unpin(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++) {
		struct next *next = &plan->ports[i];

		if (!next->is_pinned)
			continue;
		pin_take(next->port, &next->pin);
		pin_put(next->port, &next->port->pin, NULL);
	}
}

// Cannot fail. True: procs may still use what hangs in the plan afterwards.
static bool plan_put(struct plan *plan)
{
	struct fdb *fdb = atomic_load(&plan->sw->fdb);
	struct vlan_fids *old = plan->sw->fids;
	bool changed = false;

	for (uint32_t i = 0; i < plan->n; i++) {
		struct next *next = &plan->ports[i];
		struct vport_pin old_pin = next->port->pin;

		if (next->is_pinned) {
			next->port->pin = next->pin;
			pin_take(next->port, &old_pin);
		}
		put_monitor(next);
		if (policy_same(next->policy, atomic_load(&next->port->policy)))
			continue;
		put_policy(next);
		changed = true;
	}
	plan->mirrors = atomic_exchange(&plan->sw->mirrors, plan->mirrors);
	changed |= plan->mirrors != NULL;
	if (policy_same_fids(plan->fids, old))
		return changed;
	plan->sw->fids = plan->fids;
	fdb_set_fids(fdb, plan->fids);
	plan->fids = old;
	return true;
}

static void put_monitor(const struct next *next)
{
	struct vport *port = next->port;

	if (port->monitor_mode == next->monitor_mode && port->session == next->session)
		return;
	object_change_begin(&port->obj);
	port->monitor_mode = next->monitor_mode;
	port->session = next->session;
	object_change_end(&port->obj);
}

// Stations that were learned in another VLAN are not where the table says.
static void put_policy(struct next *next)
{
	const struct vlan_rules *before = &policy_of(next->port)->vlan;
	struct vport *port = next->port;
	struct policy *old;
	bool moves;

	policy_inherit(next->policy, atomic_load(&port->policy), proc_now_s());
	object_change_begin(&port->obj);
	old = atomic_exchange_explicit(&port->policy, next->policy, memory_order_acq_rel);
	object_change_end(&port->obj);
	next->policy = old;
	next->is_put = true;
	moves = memcmp(before, &policy_of(port)->vlan, sizeof(*before)) != 0;
	if (!moves)
		return;
	fdb_port_flush(atomic_load(&port->vswitch->fdb), port->slot);
	vswitch_policy_pin(port);
}

static void plan_commit(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++) {
		struct next *next = &plan->ports[i];

		if (next->is_put)
			policy_commit(atomic_load(&next->port->policy), next->policy, proc_now_s());
	}
}

static void plan_free(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++)
		policy_free(plan->ports[i].policy, atomic_load(&plan->ports[i].port->policy));
	free(plan->mirrors);
	free(plan->fids);
	free(plan);
}

// In the VLAN in which the port sends untagged; with teaming another port may take it over.
static struct vport_pin pin_of(const struct conf_port *p, const struct policy *policy,
			       const struct vlan_fids *fids)
{
	struct vport_pin pin = {.is_set = p->mac_set && !p->policy.teaming};
	uint16_t own = policy != NULL ? policy->vlan.own : 0;

	if (!pin.is_set)
		return pin;
	memcpy(pin.mac, p->mac, sizeof(pin.mac));
	pin.fid = fids != NULL ? fids->of[own] : own;
	return pin;
}

static bool pin_same(const struct vport_pin *a, const struct vport_pin *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static int pin_put(struct vport *port, const struct vport_pin *pin, struct errtext *e)
{
	struct vswitch *sw = port->vswitch;
	struct fdb *fdb = atomic_load(&sw->fdb);
	uint16_t owner;
	int rc;

	if (!pin->is_set) {
		fdb_disown(fdb, port->slot);
		return 0;
	}
	rc = fdb_own(fdb, pin->mac, port->slot, &owner);
	if (rc < 0)
		return fail_owned(sw, owner, e);
	rc = fdb_pin(fdb, pin->mac, pin->fid, port->slot, &owner);
	if (rc == 0)
		return 0;
	fdb_disown(fdb, port->slot);
	if (port->pin.is_set)
		fdb_own(fdb, port->pin.mac, port->slot, &owner);
	if (rc == -EEXIST)
		return fail_owned(sw, owner, e);
	return errtext_set(e, rc, "the MAC table has no room for the port's address");
}

static void pin_take(struct vport *port, const struct vport_pin *pin)
{
	if (pin->is_set)
		fdb_unpin(atomic_load(&port->vswitch->fdb), pin->mac, pin->fid);
}

static int fail_owned(const struct vswitch *sw, uint16_t slot, struct errtext *e)
{
	for (uint32_t i = 0; i < sw->n_ports; i++) {
		if (sw->ports[i]->slot == slot)
			return errtext_set(e, -EEXIST, "the MAC address belongs to port '%s'",
					   sw->ports[i]->obj.name);
	}
	return errtext_set(e, -EEXIST, "the MAC address belongs to another port");
}
