#include "switch/conf_vmq.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "switch/conf_value.h"

enum { NUMBER_SIZE = 8 };

static const char *read_number(const char *p, const char *end, uint32_t max, uint32_t *ret);

int conf_vmq_read_pins(struct conf_args *args, const char *value, void *target)
{
	struct conf_vmq vmq = {.pinned = {0}};
	const char *p = value;

	for (; strcmp(value, "none") != 0; p++) {
		uint32_t queue, core;

		p = read_number(p, ":", VNIC_QUEUES_MAX - 1, &queue);
		if (p != NULL)
			p = read_number(p + 1, ",", CPU_SETSIZE - 1, &core);
		if (p == NULL)
			return conf_fail(args, -EINVAL,
					 "vmq-pin: '%.100s' is not a list of queues 0 to %d, each "
					 "with its core, like 0:2,1:3, and not none",
					 value, VNIC_QUEUES_MAX - 1);
		if (vmq.pinned[queue] != 0)
			return conf_fail(args, -EINVAL, "vmq-pin: queue %u stands there twice",
					 queue);
		vmq.pinned[queue] = (uint16_t)(core + 1);
		if (*p == '\0')
			break;
	}
	((struct conf_port *)target)->vmq = vmq;
	return 0;
}

int conf_vmq_check(struct conf_args *args, unsigned word, const struct conf_port *p)
{
	if (!p->has_nic && conf_vmq_is_set(&p->vmq))
		return conf_fail_at(args, word, -EINVAL, "'%s' has no NIC, and so no queues",
				    p->name);
	for (unsigned q = p->queues > 0 ? p->queues : 1; q < VNIC_QUEUES_MAX; q++)
		if (p->vmq.pinned[q] != 0)
			return conf_fail_at(args, word, -EINVAL,
					    "vmq-pin: '%s' has no queue %u; it has %u, the first "
					    "is 0",
					    p->name, q, p->queues > 0 ? p->queues : 1);
	return 0;
}

bool conf_vmq_is_set(const struct conf_vmq *vmq)
{
	for (unsigned q = 0; q < VNIC_QUEUES_MAX; q++)
		if (vmq->pinned[q] != 0)
			return true;
	return false;
}

void conf_vmq_pins_text(const struct conf_vmq *vmq, char out[CONF_VMQ_PINS_SIZE])
{
	size_t used = 0;

	for (unsigned q = 0; q < VNIC_QUEUES_MAX; q++)
		if (vmq->pinned[q] != 0)
			used += (size_t)snprintf(out + used, CONF_VMQ_PINS_SIZE - used, "%s%u:%u",
						 used > 0 ? "," : "", q, vmq->pinned[q] - 1u);
	if (used == 0)
		memcpy(out, "none", sizeof("none"));
}

void conf_vmq_print(const struct conf_vmq *vmq, FILE *f)
{
	char text[CONF_VMQ_PINS_SIZE];

	if (!conf_vmq_is_set(vmq))
		return;
	conf_vmq_pins_text(vmq, text);
	fprintf(f, " vmq-pin %s", text);
}

// A number up to 'max' with one of 'end' behind it, or the end of the text when that is a comma.
// Returns where the number ends; NULL: there is none such.
static const char *read_number(const char *p, const char *end, uint32_t max, uint32_t *ret)
{
	size_t size = strcspn(p, ":,");
	char text[NUMBER_SIZE];

	if (size >= sizeof(text) || (p[size] != *end && (p[size] != '\0' || *end == ':')))
		return NULL;
	memcpy(text, p, size);
	text[size] = '\0';
	return conf_value_number(text, 0, max, ret, NULL) == 0 ? p + size : NULL;
}
