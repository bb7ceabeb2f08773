#include "ports/rss.h"

#include <string.h>

#include <netinet/in.h>

#include "ports/vnic.h"

enum {
	// Behind the EtherType a guest's frame has so many safe bytes whatever its tags, or it is
	// shorter. What follows does not count, so that all frames of a flow are judged alike.
	LOOK_MAX = VNBL_SAFE_SIZE - 14 - 2 * VNBL_TAG_SIZE,
	TAGS_MAX = 2,
	EXTENSIONS_MAX = 4, // headers of IPv6 between its own and the ports
	MACS_SIZE = 12,
	ETH_SIZE = 14,
	IPV4_SIZE = 20,
	IPV4_FRAGMENT = 0x3fff, // more fragments, or an offset
	IPV6_SIZE = 40,
	PORTS_SIZE = 4,
	NO_QUEUE = 0xff
};

// Odd numbers with the bits well mixed: the fractions of the square roots of 2 and 3.
static const uint64_t key_1 = 0x6a09e667f3bcc909, key_2 = 0xbb67ae8584caa73b;

// What of a frame can be looked at.
struct view {
	const uint8_t *at;
	unsigned size;
};

// How many entries each queue has been given, and may be.
struct shares {
	uint32_t queues;
	unsigned least; // that each gets
	unsigned more;  // queues that may still get one more
	unsigned counts[VNIC_QUEUES_MAX];
};

static bool take(struct shares *s, unsigned q);
static uint64_t hash_ipv4(const struct view *w, unsigned ip);
static uint64_t hash_ipv6(const struct view *w, unsigned ip);
static bool skip_extension(const struct view *w, uint8_t *x_next, unsigned *x_at);
static uint64_t hash_ports(uint64_t h, const struct view *w, uint8_t protocol, unsigned at);
static uint64_t hash_macs(const struct view *w);
static uint64_t mix(uint64_t h, uint64_t word);
static uint16_t read16(const struct view *w, unsigned at);
static uint32_t read32(const struct view *w, unsigned at);
static uint64_t read64(const struct view *w, unsigned at);

uint32_t rss_hash(const struct vnbl *v)
{
	struct view w = {v->hdr, v->safe_size};
	unsigned at = MACS_SIZE;
	uint64_t h;

	if (w.size < ETH_SIZE)
		return 0;
	for (unsigned tags = 0; tags < TAGS_MAX && at + VNBL_TAG_SIZE + 2 <= w.size; tags++) {
		uint16_t type = read16(&w, at);

		if (type != 0x8100 && type != 0x88a8)
			break;
		at += VNBL_TAG_SIZE;
	}
	at += 2;
	if (w.size > at + LOOK_MAX)
		w.size = at + LOOK_MAX;
	switch (read16(&w, at - 2)) {
	case 0x0800:
		h = hash_ipv4(&w, at);
		break;
	case 0x86dd:
		h = hash_ipv6(&w, at);
		break;
	default:
		h = hash_macs(&w);
		break;
	}
	return (uint32_t)(h ^ h >> 32);
}

void rss_fill(uint8_t table[VNIC_RSS_SIZE], uint32_t queues)
{
	const unsigned n = (unsigned)__builtin_popcount(queues);
	struct shares shares = {
		.queues = queues,
		.least = VNIC_RSS_SIZE / n,
		.more = VNIC_RSS_SIZE % n,
	};
	unsigned next = 0;

	for (unsigned i = 0; i < VNIC_RSS_SIZE; i++)
		if (!take(&shares, table[i]))
			table[i] = NO_QUEUE;
	for (unsigned i = 0; i < VNIC_RSS_SIZE; i++) {
		if (table[i] != NO_QUEUE)
			continue;
		do
			next = (next + 1) % VNIC_QUEUES_MAX;
		while (!take(&shares, next));
		table[i] = (uint8_t)next;
	}
}

void rss_init(struct vnic_rss *rss)
{
	rss->changes = 0;
	for (unsigned i = 0; i < VNIC_RSS_SIZE; i++)
		atomic_store_explicit(&rss->table[i], 0, memory_order_relaxed);
	atomic_store_explicit(&rss->queues, 1, memory_order_relaxed);
}

bool rss_set_queues(struct vnic_rss *rss, uint32_t queues)
{
	uint8_t table[VNIC_RSS_SIZE];

	if (atomic_load_explicit(&rss->queues, memory_order_relaxed) == queues)
		return false;
	for (unsigned i = 0; i < VNIC_RSS_SIZE; i++)
		table[i] = (uint8_t)atomic_load_explicit(&rss->table[i], memory_order_relaxed);
	rss_fill(table, queues);
	for (unsigned i = 0; i < VNIC_RSS_SIZE; i++)
		atomic_store_explicit(&rss->table[i], table[i], memory_order_relaxed);
	atomic_store_explicit(&rss->queues, queues, memory_order_release);
	rss->changes++;
	return true;
}

void rss_tx(struct vnic *nic, struct vnbl *const frames[], unsigned n, struct vport_stats *st,
	    unsigned proc)
{
	const uint32_t queues = atomic_load_explicit(&nic->rss.queues, memory_order_acquire);
	struct vnbl *part[VNBL_BURST_MAX];
	uint8_t queue[VNBL_BURST_MAX];
	uint32_t used = 0;

	if ((queues & (queues - 1)) == 0) {
		vnic_tx(nic, (unsigned)__builtin_ctz(queues), frames, n, st, proc);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		queue[i] = atomic_load_explicit(
			&nic->rss.table[rss_hash(frames[i]) % VNIC_RSS_SIZE], memory_order_relaxed);
		used |= 1u << queue[i];
	}
	for (; used != 0; used &= used - 1) {
		unsigned q = (unsigned)__builtin_ctz(used), n_part = 0;

		for (unsigned i = 0; i < n; i++)
			if (queue[i] == q)
				part[n_part++] = frames[i];
		vnic_tx(nic, q, part, n_part, st, proc);
	}
}

// One more entry for a queue. False: it is not for it to have.
static bool take(struct shares *s, unsigned q)
{
	if (q >= VNIC_QUEUES_MAX || !(s->queues >> q & 1) || s->counts[q] > s->least ||
	    (s->counts[q] == s->least && s->more == 0))
		return false;
	s->more -= s->counts[q] == s->least;
	s->counts[q]++;
	return true;
}

static uint64_t hash_ipv4(const struct view *w, unsigned ip)
{
	unsigned header;
	uint64_t h;

	if (ip + IPV4_SIZE > w->size)
		return hash_macs(w);
	header = (w->at[ip] & 0xfu) * 4;
	h = mix(key_1, read64(w, ip + 12));
	if ((read16(w, ip + 6) & IPV4_FRAGMENT) != 0 || header < IPV4_SIZE)
		return h;
	return hash_ports(h, w, w->at[ip + 9], ip + header);
}

static uint64_t hash_ipv6(const struct view *w, unsigned ip)
{
	unsigned at = ip + IPV6_SIZE;
	uint8_t next;
	uint64_t h;

	if (at > w->size)
		return hash_macs(w);
	h = mix(key_1, read64(w, ip + 8));
	h = mix(h, read64(w, ip + 16));
	h = mix(h, read64(w, ip + 24));
	h = mix(h, read64(w, ip + 32));
	next = w->at[ip + 6];
	for (unsigned i = 0; i < EXTENSIONS_MAX && skip_extension(w, &next, &at); i++)
		continue;
	return hash_ports(h, w, next, at);
}

// A fragment's header is not skipped: it has no ports, as far as anybody can tell.
static bool skip_extension(const struct view *w, uint8_t *x_next, unsigned *x_at)
{
	unsigned at = *x_at;

	if (*x_next != IPPROTO_HOPOPTS && *x_next != IPPROTO_ROUTING && *x_next != IPPROTO_DSTOPTS)
		return false;
	if (at + 8 > w->size)
		return false;
	*x_next = w->at[at];
	*x_at = at + 8 * (w->at[at + 1] + 1u);
	return true;
}

static uint64_t hash_ports(uint64_t h, const struct view *w, uint8_t protocol, unsigned at)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
		break;
	default:
		return h;
	}
	if (at + PORTS_SIZE > w->size)
		return h;
	return mix(h, (uint64_t)protocol << 32 | read32(w, at));
}

static uint64_t hash_macs(const struct view *w)
{
	return mix(mix(key_1, read64(w, 0)), read32(w, 8));
}

// Both halves of a product of 128 bits: every bit of a word reaches the bits that are used.
static uint64_t mix(uint64_t h, uint64_t word)
{
	__uint128_t product = (__uint128_t)(h ^ word) * key_2;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint16_t read16(const struct view *w, unsigned at)
{
	return (uint16_t)(w->at[at] << 8 | w->at[at + 1]);
}

static uint32_t read32(const struct view *w, unsigned at)
{
	uint32_t word;

	memcpy(&word, w->at + at, sizeof(word));
	return word;
}

static uint64_t read64(const struct view *w, unsigned at)
{
	uint64_t word;

	memcpy(&word, w->at + at, sizeof(word));
	return word;
}
