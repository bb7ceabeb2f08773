/*
 * Random rules and random frames: what the compiled tables say is what a plain reader of the rules
 * says, one after the other, who shares no line with them; and so is what was counted.
 */
#include "tests/unit/acl_fixture.h"
#include "tests/unit/eal.h"

enum {
	ROUNDS = 150,
	BURSTS = 12,
	N_RULES_MAX = 200,
	PROC = 5,
	FEW_PORTS = 14,
	ALL_PORTS = 65536,
	MANY = 2500, // rules
	MANY_BURSTS = 60
};

// A frame as it is, whatever a reader makes of it.
struct truth {
	enum acl_direction direction;
	unsigned version;                     // 4, 6; 0: no IP
	uint8_t macs[2][6], addresses[2][16]; // by enum side
	uint8_t protocol;
	bool has_ports, is_later, is_hidden;
	uint16_t ports[2];
	uint32_t size;
};

static uint64_t seed = 1;
static unsigned n_ports = FEW_PORTS; // frames have those below
static struct acl_count counted[RULES_MAX];

static unsigned draw(unsigned n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % n;
}

// Few enough that rules and frames meet.
static void draw_address(unsigned version, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	if (version == 4) {
		bytes[0] = 10;
		bytes[1] = (uint8_t)(draw(3) * 64);
		bytes[2] = (uint8_t)(draw(2) * 255);
		bytes[3] = (uint8_t)draw(8);
		return;
	}
	bytes[0] = 0x20;
	bytes[1] = 1;
	bytes[5] = (uint8_t)(draw(2) * 3);
	bytes[10] = (uint8_t)(draw(2) * 129);
	bytes[15] = (uint8_t)draw(4);
}

static void draw_mac(uint8_t mac[6])
{
	memset(mac, 2, 6);
	mac[5] = (uint8_t)draw(5);
}

static void draw_rule_address(struct acl_address *a, unsigned version)
{
	unsigned most = version == 4 ? 32 : 128;

	a->family = version == 4 ? ACL_IPV4 : ACL_IPV6;
	a->bits = (uint8_t)(draw(3) == 0 ? most : draw(most + 1));
	draw_address(version, a->bytes);
	for (unsigned bit = a->bits; bit < 128; bit++)
		a->bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static uint8_t draw_protocol(void)
{
	static const uint8_t protocols[] = {TCP, UDP, GRE, 132, ICMP};

	return protocols[draw(sizeof(protocols))];
}

static void draw_ports(struct acl_ports *ports)
{
	unsigned first = draw(12), last = draw(12);

	ports->first = (uint16_t)(first < last ? first : last);
	ports->last = (uint16_t)(first < last ? last : first);
	if (draw(4) == 0)
		ports->last = UINT16_MAX;
}

static void draw_basic(void)
{
	enum acl_action action = draw(3);
	struct acl_rule *rule = add_rule(ACL_BASIC, draw(2), action);
	struct acl_address *a;

	rule->is_remote = (uint8_t)draw(2);
	a = rule->is_remote ? &rule->remote : &rule->local;
	if (action != ACL_METER && draw(4) == 0) {
		a->family = ACL_MAC;
		if (draw(8) != 0) {
			a->bits = 48;
			draw_mac(a->bytes);
		}
	} else if (draw(12) != 0) {
		draw_rule_address(a, draw(2) ? 4 : 6);
	}
}

static void draw_extended(void)
{
	struct acl_rule *rule = add_rule(ACL_EXTENDED, draw(2), draw(2));
	unsigned version = draw(2) ? 4 : 6;

	rule->weight = (uint16_t)((rule->number * 7919) % 65536); // a prime: no two are equal
	rule->any_protocol = (uint8_t)(draw(3) == 0);
	if (!rule->any_protocol)
		rule->protocol = draw_protocol();
	if (draw(2))
		draw_rule_address(&rule->local, version);
	if (draw(2))
		draw_rule_address(&rule->remote, version);
	if (!rule->any_protocol && (rule->protocol == GRE || rule->protocol == ICMP))
		return;
	if (draw(2))
		draw_ports(&rule->local_ports);
	if (draw(3) == 0)
		draw_ports(&rule->remote_ports);
}

static void draw_rules(void)
{
	unsigned n = 1 + draw(draw(4) == 0 ? N_RULES_MAX : 20);

	it.n = 0;
	while (it.n < n) {
		if (draw(2))
			draw_basic();
		else
			draw_extended();
	}
}

static void draw_frame(struct truth *t, struct vnbl *v)
{
	char local[64], remote[64];
	struct packet p;
	unsigned family;

	memset(t, 0, sizeof(*t));
	t->direction = draw(2);
	t->version = draw(10) == 0 ? 0 : draw(2) ? 4 : 6;
	for (unsigned side = 0; side < 2; side++) {
		draw_mac(t->macs[side]);
		draw_address(t->version == 4 ? 4 : 6, t->addresses[side]);
		t->ports[side] = (uint16_t)draw(n_ports);
	}
	t->protocol = draw_protocol();
	t->is_later = draw(8) == 0;
	t->has_ports = !t->is_later && t->protocol != GRE && t->protocol != ICMP;
	family = t->version == 4 ? AF_INET : AF_INET6;
	inet_ntop((int)family, t->addresses[LOCAL], local, sizeof(local));
	inet_ntop((int)family, t->addresses[REMOTE], remote, sizeof(remote));
	p = (struct packet){.direction = t->direction,
			    .local = local,
			    .remote = remote,
			    .protocol = t->protocol,
			    .local_port = t->ports[LOCAL],
			    .remote_port = t->ports[REMOTE],
			    .cut = t->is_later    ? LATER
				   : draw(6) == 0 ? FIRST
						  : WHOLE};
	lay(&p);
	memcpy(layers.data, t->macs[t->direction == ACL_OUT], 6);
	memcpy(layers.data + 6, t->macs[t->direction == ACL_IN], 6);
	if (t->version == 0)
		set_16(12, 0x88b5);
	else if (draw(12) == 0)
		t->is_hidden = true;
	layers.size -= t->is_hidden;
	t->size = layers.size;
	layers_give(v, draw(2) ? LAYERS_GUEST : LAYERS_STRIPPED);
}

static bool in_prefix(const struct acl_address *a, const struct truth *t, enum side side)
{
	if (a->family == ACL_ANY)
		return true;
	if (a->family != (t->version == 4 ? ACL_IPV4 : ACL_IPV6))
		return false;
	for (unsigned bit = 0; bit < a->bits; bit++)
		if (((a->bytes[bit / 8] ^ t->addresses[side][bit / 8]) >> (7 - bit % 8)) & 1)
			return false;
	return true;
}

static bool in_ports(const struct acl_ports *ports, const struct truth *t, enum side side)
{
	if (ports->first == 0 && ports->last == UINT16_MAX)
		return true;
	return t->has_ports && t->ports[side] >= ports->first && t->ports[side] <= ports->last;
}

static bool is_about_ports(const struct acl_rule *rule)
{
	return rule->local_ports.first != 0 || rule->local_ports.last != UINT16_MAX ||
	       rule->remote_ports.first != 0 || rule->remote_ports.last != UINT16_MAX;
}

static const struct acl_address *own(const struct acl_rule *rule)
{
	return rule->is_remote ? &rule->remote : &rule->local;
}

static bool extended_matches(const struct acl_rule *rule, const struct truth *t)
{
	if (!in_prefix(&rule->local, t, LOCAL) || !in_prefix(&rule->remote, t, REMOTE))
		return false;
	if (!rule->any_protocol && rule->protocol != t->protocol)
		return false;
	if (t->is_later && is_about_ports(rule))
		return rule->action == ACL_ALLOW;
	return in_ports(&rule->local_ports, t, LOCAL) && in_ports(&rule->remote_ports, t, REMOTE);
}

// Whether 'rule' is of that kind, meters apart, and about the frame.
static bool matches(const struct acl_rule *rule, const struct truth *t, bool is_mac, bool is_meter)
{
	if (rule->direction != t->direction || rule->kind != ACL_BASIC ||
	    (rule->action == ACL_METER) != is_meter || (own(rule)->family == ACL_MAC) != is_mac)
		return false;
	if (is_mac)
		return own(rule)->bits == 0 ||
		       memcmp(own(rule)->bytes, t->macs[rule->is_remote], 6) == 0;
	return in_prefix(own(rule), t, rule->is_remote);
}

static const struct acl_rule *basic_winner(const struct truth *t, bool is_mac, bool is_meter)
{
	const struct acl_rule *best = NULL;

	for (uint32_t i = 0; i < it.n; i++) {
		const struct acl_rule *rule = &it.rules[i];

		if (!matches(rule, t, is_mac, is_meter))
			continue;
		if (best == NULL || own(rule)->bits > own(best)->bits ||
		    (own(rule)->bits == own(best)->bits && rule->action == ACL_DENY &&
		     best->action != ACL_DENY))
			best = rule;
	}
	return best;
}

static const struct acl_rule *extended_winner(const struct truth *t)
{
	const struct acl_rule *best = NULL;

	for (uint32_t i = 0; i < it.n; i++) {
		const struct acl_rule *rule = &it.rules[i];

		if (rule->kind == ACL_EXTENDED && rule->direction == t->direction &&
		    extended_matches(rule, t) && (best == NULL || rule->weight > best->weight))
			best = rule;
	}
	return best;
}

static bool denies_ip(enum acl_direction direction)
{
	for (uint32_t i = 0; i < it.n; i++)
		if (it.rules[i].direction == direction && it.rules[i].action == ACL_DENY &&
		    (it.rules[i].kind == ACL_EXTENDED || own(&it.rules[i])->family != ACL_MAC))
			return true;
	return false;
}

static bool lets_pass(const struct acl_rule *rule, const struct truth *t)
{
	if (rule == NULL)
		return true;
	counted[rule - it.rules].frames++;
	counted[rule - it.rules].bytes += t->size;
	return rule->action != ACL_DENY;
}

static unsigned decide(const struct truth *t)
{
	if (!lets_pass(basic_winner(t, true, false), t))
		return DENIED;
	if (t->version == 0)
		return PASSES;
	if (t->is_hidden && denies_ip(t->direction))
		return DENIED;
	if (!lets_pass(basic_winner(t, false, false), t) ||
	    (!t->is_hidden && !lets_pass(extended_winner(t), t)))
		return DENIED;
	(void)lets_pass(basic_winner(t, false, true), t);
	return PASSES;
}

static unsigned judge_burst(unsigned n)
{
	static struct vnbl given[VNBL_BURST_MAX];
	struct truth truths[2][VNBL_BURST_MAX];
	struct vnbl *frames[2][VNBL_BURST_MAX];
	unsigned n_ways[2] = {0, 0}, denied = 0;
	uint8_t reasons[VNBL_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		struct truth t;
		unsigned way;

		draw_frame(&t, &given[i]);
		way = t.direction;
		truths[way][n_ways[way]] = t;
		frames[way][n_ways[way]++] = &given[i];
	}
	for (unsigned way = 0; way < 2; way++) {
		acl_decide_burst(it.acl, way, frames[way], n_ways[way], PROC, it.now_s, reasons);
		for (unsigned i = 0; i < n_ways[way]; i++) {
			assert_int_equal(reasons[i], decide(&truths[way][i]));
			denied += reasons[i] == DENIED;
		}
	}
	return denied;
}

static void assert_counted_alike(void)
{
	for (uint32_t i = 0; i < it.n; i++) {
		struct acl_count c = acl_count(it.acl, i);

		assert_int_equal(c.frames, counted[i].frames);
		assert_int_equal(c.bytes, counted[i].bytes);
	}
}

static void tables_say_what_the_rules_say(void **state)
{
	unsigned denied = 0, n = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		draw_rules();
		memset(counted, 0, sizeof(counted));
		acl_destroy(it.acl);
		it.acl = NULL;
		apply();
		for (unsigned i = 0; i < BURSTS; i++) {
			unsigned size = i == 0 ? 1 : 1 + draw(VNBL_BURST_MAX);

			denied += judge_burst(size);
			n += size;
		}
		assert_counted_alike();
	}
	// Else it would say little.
	assert_in_range(denied, n / 5, n - n / 5);
}

// Ranges that cross all over the place.
static void draw_crossing(void)
{
	struct acl_rule *rule = add_rule(ACL_EXTENDED, ACL_OUT, draw(2));
	unsigned a = draw(ALL_PORTS), b = draw(ALL_PORTS);

	rule->weight = (uint16_t)((rule->number * 7919) % 65536);
	rule->protocol = draw(2) ? TCP : UDP;
	if (draw(2))
		draw_rule_address(&rule->local, 4);
	if (draw(2))
		draw_rule_address(&rule->remote, 4);
	for (unsigned i = 0; i < 16; i++) {
		// Wide ones are rare, or few others would ever win.
		rule->local.bytes[i] ^= i < rule->local.bits / 8U ? (uint8_t)draw(2) : 0;
		rule->remote.bytes[i] ^= i < rule->remote.bits / 8U ? (uint8_t)draw(2) : 0;
	}
	with_ports(rule, draw(2), (uint16_t)(a < b ? a : b), (uint16_t)(a < b ? b : a));
}

static void what_is_too_much_for_one_table_is_in_several(void **state)
{
	unsigned denied = 0;

	n_ports = ALL_PORTS;
	basic(ACL_OUT, REMOTE, "10.64.0.0/15", ACL_METER);
	basic(ACL_OUT, LOCAL, "10.0.0.0/30", ACL_DENY);
	while (it.n < MANY)
		draw_crossing();
	memset(counted, 0, sizeof(counted));
	apply();
	assert_in_range(it.acl->sides[ACL_OUT].ip[0].n, 2, UINT32_MAX);
	for (unsigned i = 0; i < MANY_BURSTS; i++)
		denied += judge_burst(VNBL_BURST_MAX);
	assert_counted_alike();
	assert_in_range(denied, 1, MANY_BURSTS * VNBL_BURST_MAX - 1);
}

static int start(void **state)
{
	return eal_start();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tables_say_what_the_rules_say, begin, end),
		cmocka_unit_test_setup_teardown(what_is_too_much_for_one_table_is_in_several, begin,
						end),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
