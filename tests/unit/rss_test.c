// Which queue a flow goes to: the hash, the table, and what is sent by them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "ports/rss.h"
#include "ports/vnbl.h"
#include "ports/vnic_ops.h"

enum { FLOWS = 4096, ETH = 14, IPV4 = 20, IPV6 = 40 };

static struct vnbl frame;

static void begin(uint16_t type, unsigned size)
{
	vnbl_reset(&frame);
	memset(frame.safe, 0, sizeof(frame.safe));
	memcpy(frame.hdr, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	frame.hdr[12] = (uint8_t)(type >> 8);
	frame.hdr[13] = (uint8_t)type;
	frame.safe_size = (uint16_t)size;
	frame.frame_size = size;
}

static void ipv4(uint8_t protocol, uint32_t src, uint32_t dst, uint32_t ports)
{
	uint8_t *ip = frame.safe + ETH;

	begin(0x0800, 64);
	ip[0] = 0x45;
	ip[9] = protocol;
	memcpy(ip + 12, &src, 4);
	memcpy(ip + 16, &dst, 4);
	memcpy(ip + IPV4, &ports, 4);
}

static void ipv6(uint8_t next, uint8_t host, uint32_t ports)
{
	uint8_t *ip = frame.safe + ETH;

	begin(0x86dd, 110);
	ip[0] = 0x60;
	ip[6] = next;
	ip[8] = ip[24] = 0xfd;
	ip[23] = 1;
	ip[39] = host;
	memcpy(ip + IPV6, &ports, 4);
}

// Puts a tag into the data, as delivery does.
static void tag(uint16_t type)
{
	memmove(frame.hdr + 16, frame.hdr + 12, sizeof(frame.safe) - 16);
	frame.hdr[12] = (uint8_t)(type >> 8);
	frame.hdr[13] = (uint8_t)type;
	frame.hdr[14] = 0;
	frame.hdr[15] = 7;
	frame.safe_size = (uint16_t)(frame.safe_size + VNBL_TAG_SIZE);
}

static void flow_keeps_its_hash(void **state)
{
	uint32_t h;

	(void)state;
	ipv4(IPPROTO_TCP, 1, 2, 3);
	h = rss_hash(&frame);
	frame.hdr[0] ^= 2; // neither MACs, nor ToS, length, id, ttl, sum or payload are the flow
	memset(frame.hdr + ETH + 1, 0x55, 5);
	frame.hdr[ETH + 6] = 0x40; // may not be fragmented: not a fragment
	frame.hdr[ETH + 8] = 9;
	memset(frame.hdr + ETH + IPV4 + 4, 0x77, 20);
	assert_int_equal(rss_hash(&frame), h);
	frame.safe_size = ETH + IPV4 + 4;
	assert_int_equal(rss_hash(&frame), h);
	tag(0x8100);
	assert_int_equal(rss_hash(&frame), h);
	tag(0x88a8);
	assert_int_equal(rss_hash(&frame), h);
}

static void every_field_of_a_flow_counts(void **state)
{
	uint32_t h[6];

	(void)state;
	ipv4(IPPROTO_TCP, 1, 2, 3);
	h[0] = rss_hash(&frame);
	ipv4(IPPROTO_TCP, 9, 2, 3);
	h[1] = rss_hash(&frame);
	ipv4(IPPROTO_TCP, 1, 9, 3);
	h[2] = rss_hash(&frame);
	ipv4(IPPROTO_TCP, 1, 2, 9);
	h[3] = rss_hash(&frame);
	ipv4(IPPROTO_UDP, 1, 2, 3);
	h[4] = rss_hash(&frame);
	ipv4(IPPROTO_TCP, 1, 2, 3u << 16);
	h[5] = rss_hash(&frame);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(h[i], h[k]);
}

static void fragments_go_by_addresses(void **state)
{
	uint32_t whole, first, later;

	(void)state;
	ipv4(IPPROTO_UDP, 1, 2, 3);
	whole = rss_hash(&frame);
	frame.hdr[ETH + 6] = 0x20; // more fragments
	first = rss_hash(&frame);
	frame.hdr[ETH + 6] = 0;
	frame.hdr[ETH + 7] = 185; // offset
	memset(frame.hdr + ETH + IPV4, 0xee, 4);
	later = rss_hash(&frame);
	assert_int_equal(first, later);
	assert_int_not_equal(whole, first);

	ipv6(IPPROTO_UDP, 5, 3);
	whole = rss_hash(&frame);
	ipv6(44, 5, 0x01000011);
	first = rss_hash(&frame);
	ipv6(44, 5, 0x0badcafe);
	assert_int_equal(rss_hash(&frame), first);
	assert_int_not_equal(whole, first);
	ipv6(44, 6, 0x0badcafe);
	assert_int_not_equal(rss_hash(&frame), first);
}

static void extension_headers_are_skipped(void **state)
{
	const uint8_t options[16] = {IPPROTO_UDP, 1}; // 16 bytes, then UDP
	const uint32_t ports = 0x1234;
	uint32_t plain, other;

	(void)state;
	ipv6(IPPROTO_UDP, 5, ports);
	plain = rss_hash(&frame);
	ipv6(IPPROTO_DSTOPTS, 5, 0);
	memcpy(frame.hdr + ETH + IPV6, options, sizeof(options));
	memcpy(frame.hdr + ETH + IPV6 + 16, &ports, 4);
	assert_int_equal(rss_hash(&frame), plain);
	frame.hdr[ETH + IPV6 + 16] ^= 1;
	assert_int_not_equal(rss_hash(&frame), plain);
	// One that says to be longer than what there is: by addresses.
	frame.hdr[ETH + IPV6 + 1] = 255;
	other = rss_hash(&frame);
	frame.hdr[ETH + IPV6 + 16] ^= 2;
	assert_int_equal(rss_hash(&frame), other);
}

static void others_go_by_macs(void **state)
{
	uint32_t h;

	(void)state;
	begin(0x88b5, 60);
	h = rss_hash(&frame);
	frame.hdr[40] = 9;
	assert_int_equal(rss_hash(&frame), h);
	frame.hdr[11] ^= 1;
	assert_int_not_equal(rss_hash(&frame), h);
	frame.hdr[11] ^= 1;
	frame.hdr[0] ^= 4;
	assert_int_not_equal(rss_hash(&frame), h);
}

// Bytes behind the safe ones are not looked at: poisoned, they change nothing.
static void nothing_behind_the_safe_bytes(void **state)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x88b5};

	(void)state;
	srand(7);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned size = (unsigned)rand() % 130;
		uint32_t h;

		begin(types[(unsigned)rand() % 5], size);
		for (unsigned i = ETH; i < 200; i++)
			frame.hdr[i] = (uint8_t)(rand() % 3 == 0 ? rand() : i % 2 ? 0 : 0x45);
		h = rss_hash(&frame);
		memset(frame.hdr + size, rand(), sizeof(frame.safe) - size);
		assert_int_equal(rss_hash(&frame), h);
	}
}

// As many flows for each queue as a fair throw of dice would give: chi squared, 127 degrees.
static void assert_spread(const uint32_t hashes[], unsigned n)
{
	unsigned counts[VNIC_RSS_SIZE] = {0};
	double sum = 0, fair = (double)n / VNIC_RSS_SIZE;

	for (unsigned i = 0; i < n; i++)
		counts[hashes[i] % VNIC_RSS_SIZE]++;
	for (unsigned i = 0; i < VNIC_RSS_SIZE; i++)
		sum += (counts[i] - fair) * (counts[i] - fair) / fair;
	assert_true(sum < 200); // one in 30000 is worse
}

static void flows_spread_evenly(void **state)
{
	static uint32_t hashes[FLOWS];

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) { // one client, its ports counting
		ipv4(IPPROTO_TCP, htonl(0x0a000001), htonl(0x0a000002),
		     htonl((32768 + i) << 16 | 443));
		hashes[i] = rss_hash(&frame);
	}
	assert_spread(hashes, FLOWS);
	for (unsigned i = 0; i < FLOWS; i++) { // many clients, without ports
		ipv4(IPPROTO_ICMP, htonl(0x0a000000 + i), htonl(0x0a000002), 0);
		hashes[i] = rss_hash(&frame);
	}
	assert_spread(hashes, FLOWS);
	for (unsigned i = 0; i < FLOWS; i++) {
		ipv6(IPPROTO_UDP, (uint8_t)i, htonl(i << 16 | 53));
		hashes[i] = rss_hash(&frame);
	}
	assert_spread(hashes, FLOWS);
	for (unsigned i = 0; i < FLOWS; i++) {
		begin(0x88b5, 60);
		frame.hdr[10] = (uint8_t)(i >> 8);
		frame.hdr[11] = (uint8_t)i;
		hashes[i] = rss_hash(&frame);
	}
	assert_spread(hashes, FLOWS);
}

static void table_is_shared_evenly(void **state)
{
	uint8_t table[VNIC_RSS_SIZE] = {0};

	(void)state;
	for (uint32_t queues = 1; queues < 1u << VNIC_QUEUES_MAX; queues += 1 + queues / 7) {
		unsigned counts[VNIC_QUEUES_MAX] = {0}, n = (unsigned)__builtin_popcount(queues);
		rss_fill(table, queues);
		for (unsigned i = 0; i < VNIC_RSS_SIZE; i++) {
			assert_true(queues >> table[i] & 1);
			counts[table[i]]++;
		}
		for (unsigned q = 0; q < VNIC_QUEUES_MAX; q++) {
			if (!(queues >> q & 1))
				continue;
			assert_true(counts[q] >= VNIC_RSS_SIZE / n);
			assert_true(counts[q] <= (VNIC_RSS_SIZE + n - 1) / n);
		}
	}
}

// Of 16 queues one after the other is switched off, in no order, and then on again.
static void few_flows_move(void **state)
{
	uint8_t table[VNIC_RSS_SIZE] = {0}, before[VNIC_RSS_SIZE];
	uint32_t queues = 0xffff;

	(void)state;
	rss_fill(table, queues);
	for (unsigned i = 0; i < VNIC_QUEUES_MAX - 1; i++) {
		unsigned off = (i * 7 + 3) % VNIC_QUEUES_MAX;

		queues &= ~(1u << off);
		memcpy(before, table, sizeof(table));
		rss_fill(table, queues);
		for (unsigned e = 0; e < VNIC_RSS_SIZE; e++)
			assert_true((before[e] == table[e]) == (before[e] != off));
	}
	for (unsigned i = 0; i < VNIC_QUEUES_MAX - 1; i++) {
		unsigned on = (i * 7 + 3) % VNIC_QUEUES_MAX, moved = 0;

		queues |= 1u << on;
		memcpy(before, table, sizeof(table));
		rss_fill(table, queues);
		for (unsigned e = 0; e < VNIC_RSS_SIZE; e++) {
			assert_true(before[e] == table[e] || table[e] == on);
			moved += before[e] != table[e];
		}
		assert_true(moved <= VNIC_RSS_SIZE / (i + 2) + 1);
	}
}

// A NIC that notes what it is sent, and by which queue.
static struct {
	struct vnic nic;
	unsigned n;
	struct {
		unsigned queue;
		const struct vnbl *frame;
	} sent[VNBL_BURST_MAX];
} sink;

static void sink_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		    struct vport_stats *st)
{
	(void)nic;
	st->tx_frames += n;
	for (unsigned i = 0; i < n; i++) {
		sink.sent[sink.n].queue = q;
		sink.sent[sink.n++].frame = frames[i];
	}
}

static const struct vnic_ops sink_ops = {.tx = sink_tx};

static void burst_is_split_by_flow(void **state)
{
	static const uint32_t masks[] = {1, 2, 3, 0x8, 0x5, 0xf, 0xffff};
	static struct vnbl frames[VNBL_BURST_MAX];
	struct vnbl *pointers[VNBL_BURST_MAX];
	struct vport_stats st = {0};

	(void)state;
	sink.nic.ops = &sink_ops;
	sink.nic.n_queues = VNIC_QUEUES_MAX;
	vnic_queues_init(&sink.nic);
	assert_int_equal(sink.nic.rss.queues, 1);
	for (unsigned i = 0; i < VNBL_BURST_MAX; i++) {
		ipv4(IPPROTO_TCP, 1, 2, i % 8);
		frames[i] = frame;
		frames[i].hdr = frames[i].safe;
		pointers[i] = &frames[i];
	}
	for (unsigned m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
		bool changes = masks[m] != sink.nic.rss.queues;

		assert_true(rss_set_queues(&sink.nic.rss, masks[m]) == changes);
		assert_false(rss_set_queues(&sink.nic.rss, masks[m]));
		sink.n = 0;
		rss_tx(&sink.nic, pointers, VNBL_BURST_MAX, &st, 0);
		vnic_settle();
		assert_int_equal(sink.n, VNBL_BURST_MAX);
		for (unsigned i = 0; i < sink.n; i++) {
			const struct vnbl *v = sink.sent[i].frame;

			assert_true(masks[m] >> sink.sent[i].queue & 1);
			assert_int_equal(sink.sent[i].queue,
					 sink.nic.rss.table[rss_hash(v) % VNIC_RSS_SIZE]);
			// Each queue is served once, in the order of the burst.
			if (i > 0 && sink.sent[i - 1].queue == sink.sent[i].queue)
				assert_true(sink.sent[i - 1].frame < v);
			else if (i > 0)
				assert_true(sink.sent[i - 1].queue < sink.sent[i].queue);
		}
	}
	assert_int_equal(st.tx_frames, VNBL_BURST_MAX * sizeof(masks) / sizeof(masks[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_keeps_its_hash),
		cmocka_unit_test(every_field_of_a_flow_counts),
		cmocka_unit_test(fragments_go_by_addresses),
		cmocka_unit_test(extension_headers_are_skipped),
		cmocka_unit_test(others_go_by_macs),
		cmocka_unit_test(nothing_behind_the_safe_bytes),
		cmocka_unit_test(flows_spread_evenly),
		cmocka_unit_test(table_is_shared_evenly),
		cmocka_unit_test(few_flows_move),
		cmocka_unit_test(burst_is_split_by_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
