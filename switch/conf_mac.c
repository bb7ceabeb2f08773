#include "switch/conf_mac.h"

#include <errno.h>
#include <string.h>

#include "switch/conf_value.h"

enum { POOL_SIZE = 256 };

static int take_dynamic(struct conf_args *args, uint8_t ret[6]);

int conf_mac_read(struct conf_args *args, const char *value, uint8_t ret[6])
{
	struct errtext why;

	if (strcmp(value, "dynamic") == 0)
		return take_dynamic(args, ret);
	if (conf_value_mac(value, ret, &why) != 0)
		return conf_fail(args, -EINVAL, "mac: %s, nor is it 'dynamic'", why.text);
	return 0;
}

int conf_mac_check_free(struct conf_args *args, unsigned word, const struct conf_port *p,
			const struct conf_port *self)
{
	const struct conf_switch *sw = conf_switch_find(args->c, p->switch_name);

	for (uint32_t i = 0; i < args->c->n_ports; i++) {
		const struct conf_port *other = &args->c->ports[i];

		if (other == self || !other->mac_set ||
		    strcmp(other->switch_name, p->switch_name) != 0 ||
		    memcmp(other->mac, p->mac, sizeof(p->mac)) != 0)
			continue;
		return conf_fail_at(args, word, -EEXIST,
				    "port '%s' of the same switch has this MAC address",
				    other->name);
	}
	if (conf_mac_count(args->c, p->switch_name, self) >= sw->stations)
		return conf_fail_at(args, word, -ENOSPC,
				    "the MAC table of switch '%s' is full of ports' addresses; "
				    "`switch set` makes it larger",
				    sw->name);
	return 0;
}

uint32_t conf_mac_count(const struct conf *c, const char *switch_name, const struct conf_port *but)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_ports; i++)
		n += &c->ports[i] != but && c->ports[i].mac_set &&
		     strcmp(c->ports[i].switch_name, switch_name) == 0;
	return n;
}

// Free is what no port of this vswd has, on whatever switch: VMs move.
static int take_dynamic(struct conf_args *args, uint8_t ret[6])
{
	const uint8_t *pool = args->env->mac_pool;
	const uint8_t first[6] = {0x00, 0x15, 0x5d, pool[0], pool[1], 0};
	uint8_t used[POOL_SIZE] = {0};
	unsigned number = 0;

	for (uint32_t i = 0; i < args->c->n_ports; i++) {
		const struct conf_port *p = &args->c->ports[i];

		if (p->mac_set && memcmp(p->mac, first, sizeof(first) - 1) == 0)
			used[p->mac[5]] = 1;
	}
	while (number < POOL_SIZE && used[number])
		number++;
	if (number == POOL_SIZE)
		return conf_fail(args, -ENOSPC,
				 "all %d addresses of this host's pool, 00-15-5D-%02X-%02X-00 to "
				 "-FF, are in use",
				 POOL_SIZE, pool[0], pool[1]);
	memcpy(ret, first, sizeof(first));
	ret[5] = (uint8_t)number;
	return 0;
}
