#include "switch/acl_build.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "ports/headers.h"
#include "switch/acl_key.h"

enum {
	// Fields of a rule: the protocol, both addresses in words, both ports.
	FIELD_PROTOCOL,
	FIELD_LOCAL,
	IPV6_WORDS = 4,
	FIELDS_MAX = FIELD_LOCAL + 2 * IPV6_WORDS + 2,
	WORD_BITS = 32,

	BASIC_DENIES = ACL_RULES_MAX * 2, // above every number
	BASIC_LENGTH = BASIC_DENIES * 2,
	ROOM_MIN = 16,
	PART_MIN = 16 // rules that are one table, or there is no memory
};

RTE_ACL_RULE_DEF(table_rule, FIELDS_MAX);

static_assert((int)ACL_RULES_MAX <= (int)ACL_ANSWER_RULE, "an answer holds every rule");
static_assert(128 * BASIC_LENGTH + BASIC_LENGTH <= RTE_ACL_MAX_PRIORITY, "priorities fit");

// The rules for one version of IP while they are collected.
struct list {
	enum acl_family version;
	unsigned words;  // of an address
	unsigned fields; // of a rule
	uint32_t size;   // bytes of a rule
	uint32_t n, room;
	uint8_t *rules;
	bool is_full; // of memory
};

static void add_rule(struct list *l, const struct acl_rule *rule, uint32_t index);
static void add_basic(struct list *l, const struct acl_rule *rule, uint32_t index);
static void add_extended(struct list *l, const struct acl_rule *rule, uint32_t index);
static void add(struct list *l, const struct table_rule *made);
static bool is_about(const struct list *l, const struct acl_address *address);
static bool has_ports(const struct acl_rule *rule);
static void set_protocols(struct table_rule *made, uint8_t first, uint8_t last);
static void set_address(const struct list *l, struct table_rule *made, unsigned field,
			const struct acl_address *address);
static void set_ports(const struct list *l, struct table_rule *made, const struct acl_ports *local,
		      const struct acl_ports *remote);
static uint32_t answer(const struct acl_rule *rule, uint32_t index);
static int compare_priorities(const void *left, const void *right);
static int compile_all(struct list *l, struct acl_tables *ret, struct errtext *e);
static int compile(const struct list *l, uint32_t first, uint32_t n, struct acl_tables *to);
static struct rte_acl_ctx *compile_one(const struct list *l, uint32_t first, uint32_t n);
static void configure(const struct list *l, struct rte_acl_config *config);

static const struct acl_ports any_ports = {.first = 0, .last = UINT16_MAX};

int acl_build(const struct acl_rule rules[], uint32_t n, enum acl_direction direction,
	      enum acl_family version, struct acl_tables *ret, struct errtext *e)
{
	struct list l = {.version = version, .words = version == ACL_IPV4 ? 1 : IPV6_WORDS};
	int rc = 0;

	l.fields = FIELD_LOCAL + 2 * l.words + 2;
	l.size = RTE_ACL_RULE_SZ(l.fields);
	*ret = (struct acl_tables){.n = 0};
	for (uint32_t i = 0; i < n; i++)
		if (rules[i].direction == direction)
			add_rule(&l, &rules[i], i);
	if (l.is_full)
		rc = errtext_set(e, -ENOMEM, "out of memory");
	else if (l.n > 0)
		rc = compile_all(&l, ret, e);
	free(l.rules);
	return rc;
}

void acl_build_free(struct acl_tables *tables)
{
	for (uint32_t i = 0; i < tables->n; i++)
		rte_acl_free(tables->tables[i]);
	free(tables->tables);
	*tables = (struct acl_tables){.n = 0};
}

static void add_rule(struct list *l, const struct acl_rule *rule, uint32_t index)
{
	if (!is_about(l, &rule->local) || !is_about(l, &rule->remote))
		return;
	if (rule->kind == ACL_BASIC)
		add_basic(l, rule, index);
	else
		add_extended(l, rule, index);
}

static void add_basic(struct list *l, const struct acl_rule *rule, uint32_t index)
{
	unsigned bits = rule->is_remote ? rule->remote.bits : rule->local.bits;
	struct table_rule made = {.data.userdata = answer(rule, index)};

	made.data.category_mask =
		1U << (rule->action == ACL_METER ? ACL_CATEGORY_METER : ACL_CATEGORY_BASIC);
	made.data.priority = (int32_t)(bits * BASIC_LENGTH + ACL_RULES_MAX - index);
	if (rule->action == ACL_DENY)
		made.data.priority += BASIC_DENIES;
	set_protocols(&made, 0, UINT8_MAX);
	set_address(l, &made, FIELD_LOCAL, &rule->local);
	set_address(l, &made, FIELD_LOCAL + l->words, &rule->remote);
	set_ports(l, &made, &any_ports, &any_ports);
	add(l, &made);
}

static void add_extended(struct list *l, const struct acl_rule *rule, uint32_t index)
{
	struct table_rule made = {.data = {.userdata = answer(rule, index),
					   .priority = rule->weight + RTE_ACL_MIN_PRIORITY}};
	const uint8_t protocol = acl_key_protocol(rule->protocol);

	set_protocols(&made, rule->any_protocol ? 0 : protocol,
		      rule->any_protocol ? UINT8_MAX : protocol);
	set_address(l, &made, FIELD_LOCAL, &rule->local);
	set_address(l, &made, FIELD_LOCAL + l->words, &rule->remote);
	set_ports(l, &made, &any_ports, &any_ports);
	made.data.category_mask = 1U << ACL_CATEGORY_LATER;
	if (!has_ports(rule)) {
		made.data.category_mask |= 1U << ACL_CATEGORY_EXTENDED;
		add(l, &made);
		return;
	}
	if (rule->action == ACL_ALLOW)
		add(l, &made);
	// What has no ports is not about port 0 either.
	if (rule->any_protocol)
		set_protocols(&made, 0, ACL_KEY_PORTED_LAST);
	made.data.category_mask = 1U << ACL_CATEGORY_EXTENDED;
	set_ports(l, &made, &rule->local_ports, &rule->remote_ports);
	add(l, &made);
}

static void add(struct list *l, const struct table_rule *made)
{
	if (l->n == l->room) {
		uint32_t room = l->room == 0 ? ROOM_MIN : l->room * 2;
		uint8_t *rules = realloc(l->rules, (size_t)room * l->size);

		if (rules == NULL) {
			l->is_full = true;
			return;
		}
		l->rules = rules;
		l->room = room;
	}
	memcpy(l->rules + (size_t)l->n++ * l->size, made, l->size);
}

static bool is_about(const struct list *l, const struct acl_address *address)
{
	return address->family == ACL_ANY || address->family == l->version;
}

static bool has_ports(const struct acl_rule *rule)
{
	return memcmp(&rule->local_ports, &any_ports, sizeof(any_ports)) != 0 ||
	       memcmp(&rule->remote_ports, &any_ports, sizeof(any_ports)) != 0;
}

static void set_protocols(struct table_rule *made, uint8_t first, uint8_t last)
{
	made->field[FIELD_PROTOCOL].value.u8 = first;
	made->field[FIELD_PROTOCOL].mask_range.u8 = last;
}

static void set_address(const struct list *l, struct table_rule *made, unsigned field,
			const struct acl_address *address)
{
	for (unsigned word = 0; word < l->words; word++) {
		unsigned before = word * WORD_BITS;
		unsigned bits = address->bits > before ? address->bits - before : 0;

		made->field[field + word].value.u32 = get32(address->bytes + word * 4);
		made->field[field + word].mask_range.u32 = bits < WORD_BITS ? bits : WORD_BITS;
	}
}

static void set_ports(const struct list *l, struct table_rule *made, const struct acl_ports *local,
		      const struct acl_ports *remote)
{
	struct rte_acl_field *field = &made->field[l->fields - 2];

	field[0].value.u16 = local->first;
	field[0].mask_range.u16 = local->last;
	field[1].value.u16 = remote->first;
	field[1].mask_range.u16 = remote->last;
}

static uint32_t answer(const struct acl_rule *rule, uint32_t index)
{
	return (index + 1) | (rule->action == ACL_DENY ? ACL_ANSWER_DENIES : 0) |
	       (rule->stateful ? ACL_ANSWER_STATEFUL : 0);
}

// What wins comes first.
static int compare_priorities(const void *left, const void *right)
{
	const struct rte_acl_rule *a = left, *b = right;

	return (a->data.priority < b->data.priority) - (a->data.priority > b->data.priority);
}

static int compile_all(struct list *l, struct acl_tables *ret, struct errtext *e)
{
	struct acl_tables made = {.n = 0};
	int rc;

	// Every half of what was too much has more than half of PART_MIN.
	made.tables = calloc(l->n / (PART_MIN / 2) + 1, sizeof(struct rte_acl_ctx *));
	if (made.tables == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	qsort(l->rules, l->n, l->size, compare_priorities);
	rc = compile(l, 0, l->n, &made);
	if (rc < 0) {
		acl_build_free(&made);
		return errtext_set(e, rc,
				   "DPDK's memory has no room for the rules: vswd takes "
				   "more by --memory");
	}
	*ret = made;
	return 0;
}

static int compile(const struct list *l, uint32_t first, uint32_t n, struct acl_tables *to)
{
	struct rte_acl_ctx *table = compile_one(l, first, n);
	int rc;

	if (table != NULL) {
		to->tables[to->n++] = table;
		return 0;
	}
	if (n <= PART_MIN)
		return -ENOMEM;
	rc = compile(l, first, n / 2, to);
	return rc < 0 ? rc : compile(l, first + n / 2, n - n / 2, to);
}

// NULL: no memory, or too much for one table.
static struct rte_acl_ctx *compile_one(const struct list *l, uint32_t first, uint32_t n)
{
	static uint64_t made; // names are to be unique; the main thread is the only one here
	char name[RTE_ACL_NAMESIZE];
	const struct rte_acl_param param = {
		.name = name, .socket_id = SOCKET_ID_ANY, .rule_size = l->size, .max_rule_num = n};
	const void *rules = l->rules + (size_t)first * l->size;
	struct rte_acl_config config;
	struct rte_acl_ctx *ctx;

	snprintf(name, sizeof(name), "acl%" PRIu64, made++);
	ctx = rte_acl_create(&param);
	if (ctx == NULL)
		return NULL;
	configure(l, &config);
	if (rte_acl_add_rules(ctx, rules, n) == 0 && rte_acl_build(ctx, &config) == 0)
		return ctx;
	rte_acl_free(ctx);
	return NULL;
}

// Groups of four bytes have one input_index; both ports are one group.
static void configure(const struct list *l, struct rte_acl_config *config)
{
	struct rte_acl_field_def *def = config->defs;
	const unsigned last = l->fields - 2;

	memset(config, 0, sizeof(*config));
	config->num_categories = ACL_CATEGORIES;
	config->num_fields = l->fields;
	for (unsigned i = 0; i < l->fields; i++) {
		def[i].type = RTE_ACL_FIELD_TYPE_MASK;
		def[i].size = sizeof(uint32_t);
		def[i].field_index = def[i].input_index = (uint8_t)i;
	}
	def[FIELD_PROTOCOL].type = RTE_ACL_FIELD_TYPE_RANGE;
	def[FIELD_PROTOCOL].size = sizeof(uint8_t);
	def[FIELD_PROTOCOL].offset = offsetof(struct acl_key, protocol);
	for (unsigned i = 0; i < l->words; i++) {
		def[FIELD_LOCAL + i].offset = offsetof(struct acl_key, local) + i * 4;
		def[FIELD_LOCAL + l->words + i].offset = offsetof(struct acl_key, remote) + i * 4;
	}
	for (unsigned i = last; i < l->fields; i++) {
		def[i].type = RTE_ACL_FIELD_TYPE_RANGE;
		def[i].size = sizeof(uint16_t);
		def[i].input_index = (uint8_t)last;
	}
	def[last].offset = offsetof(struct acl_key, local_port);
	def[last + 1].offset = offsetof(struct acl_key, remote_port);
}
