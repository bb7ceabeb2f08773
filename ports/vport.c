#include "ports/vport.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "ports/object.h"

#define X(number, name, text) [number] = text,
static const char *const type_names[] = {VPORT_TYPES(X)};
static const char *const state_names[] = {VPORT_STATES(X)};
#undef X
#define X(number, name, text) [number] = #name,
static const char *const drop_names[] = {DROP_REASONS(X)};
#undef X
#define X(number, name, text) [number] = text,
static const char *const drop_texts[] = {DROP_REASONS(X)};
#undef X

static const char *name_at(const char *const names[], size_t count, unsigned index);

#define NAME_AT(names, index) name_at((names), sizeof(names) / sizeof((names)[0]), (index))

int vport_create(const struct vport_conf *conf, struct vswitch *parent, struct vport **ret)
{
	static uint32_t serial;
	uint32_t n_stats = PROC_MAX + 1;
	struct vport *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return -ENOMEM;
	port->stats = aligned_alloc(64, n_stats * sizeof(*port->stats));
	if (port->stats == NULL) {
		free(port);
		return -ENOMEM;
	}
	memset(port->stats, 0, n_stats * sizeof(*port->stats));
	object_init(&port->obj, OBJECT_VPORT, sizeof(*port), conf->name, conf->friendly_name);
	port->n_stats = n_stats;
	for (uint32_t i = 0; i < n_stats; i++)
		port->stats[i].port = port;
	port->vswitch = parent;
	port->serial = ++serial;
	port->id = conf->id;
	port->slot = conf->slot;
	port->type = (uint8_t)conf->type;
	port->state = VPORT_STATE_CREATED;
	port->created_s = time(NULL);
	*ret = port;
	return 0;
}

void vport_destroy(struct vport *port)
{
	if (port == NULL)
		return;
	object_fini(&port->obj);
	free(port->stats);
	free(port);
}

void vport_sum_stats(const struct vport *port, struct vport_stats *sum)
{
	// The struct is counters up to the port, so that no field can be forgotten here.
	const size_t n_words = offsetof(struct vport_stats, port) / sizeof(uint64_t);
	uint64_t *to = (uint64_t *)sum;

	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < port->n_stats; i++) {
		const volatile uint64_t *from = (const volatile uint64_t *)&port->stats[i];

		for (size_t w = 0; w < n_words; w++)
			to[w] += from[w];
	}
	sum->port = port;
}

const char *vport_type_name(unsigned type)
{
	return NAME_AT(type_names, type);
}

const char *vport_state_name(unsigned state)
{
	return NAME_AT(state_names, state);
}

const char *drop_reason_name(unsigned reason)
{
	return NAME_AT(drop_names, reason);
}

const char *drop_reason_text(unsigned reason)
{
	return NAME_AT(drop_texts, reason);
}

static const char *name_at(const char *const names[], size_t count, unsigned index)
{
	return index < count ? names[index] : "?";
}
