/*
 * What the owners of objects do to the header of object_types.h.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "ports/object_types.h"

// Fills in the header of a zeroed object, with one reference. Its friendly name may be there.
static inline void object_init(struct object *obj, enum object_type type, size_t size,
			       const char *name, const char *friendly_name)
{
	obj->magic = OBJECT_MAGIC;
	obj->type = (uint16_t)type;
	obj->size = size > UINT16_MAX ? 0 : (uint16_t)size;
	atomic_store_explicit(&obj->refs, 1, memory_order_relaxed);
	snprintf(obj->name, sizeof(obj->name), "%s", name);
	if (friendly_name != obj->friendly_name)
		snprintf(obj->friendly_name, sizeof(obj->friendly_name), "%s", friendly_name);
}

// Marks memory that is about to be freed, so that a debugger sees a stale address as such.
static inline void object_fini(struct object *obj)
{
	obj->magic = OBJECT_FREED;
}

/**
 * Around every change of control fields: an outside reader that sees 'changes' odd, or
 * different before and after its read, reads again.
 */
static inline void object_change_begin(struct object *obj)
{
	atomic_fetch_add_explicit(&obj->changes, 1, memory_order_acq_rel);
}

static inline void object_change_end(struct object *obj)
{
	atomic_fetch_add_explicit(&obj->changes, 1, memory_order_release);
}
