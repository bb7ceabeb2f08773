// The drop log: what is kept of a frame, how many, and that a reader in another process never
// takes half a record for a whole one.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "ports/droplog.h"
#include "ports/vnbl.h"
#include "ports/vport.h"

enum { READ_MS = 300 };

static struct droplog *drops;
static struct vport *port, *source;
static struct vnbl v;

static int setup(void **state)
{
	const struct vport_conf conf = {.name = "p", .friendly_name = "", .id = 7};
	const struct vport_conf other = {.name = "s", .friendly_name = "", .id = 8};

	if (vport_create(&conf, NULL, &port) < 0 || vport_create(&other, NULL, &source) < 0)
		return -1;
	drops = mmap(NULL, sizeof(*drops), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	droplog_set(drops);
	return drops == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	droplog_set(NULL);
	munmap(drops, sizeof(*drops));
	vport_destroy(port);
	vport_destroy(source);
	return 0;
}

// A frame of 'size' bytes, of which 'safe' are: 1, 2, 3, ...
static void make_frame(uint32_t size, uint16_t safe)
{
	vnbl_reset(&v);
	v.frame_size = size;
	v.safe_size = safe;
	for (unsigned i = 0; i < safe; i++)
		v.hdr[i] = (uint8_t)(i + 1);
	v.src_port = source;
	v.src_port_id = source->id;
}

static uint64_t counted(enum drop_direction dir, unsigned reason)
{
	struct vport_stats sum;

	vport_sum_stats(port, &sum);
	return sum.drops[dir][reason];
}

static void a_record_is_the_frame_as_it_was(void **state)
{
	struct droplog_record *r = &drops->records[0];

	make_frame(1500, 100);
	v.src_nic_index = 2;
	v.flags = VNBL_HAS_TAG | VNBL_FLOOD;
	v.vlan_tci = 0x2007;
	v.vlan_tpid = 0x88a8;
	v.n_pieces = 3;
	v.offload = (struct vnbl_offload){.gso_type = 1, .gso_size = 700};
	drops->now_tsc = 4711;
	droplog_drop(&port->stats[3], DROP_OUT, DROP_Resources, &v);
	assert_int_equal(counted(DROP_OUT, DROP_Resources), 1);
	assert_int_equal(drops->n, 1);
	assert_int_equal(r->number, 1);
	assert_int_equal(r->tsc, 4711);
	assert_ptr_equal(r->at, port);
	assert_int_equal(r->at_id, 7);
	assert_ptr_equal(r->src_port, source);
	assert_int_equal(r->src_port_id, 8);
	assert_int_not_equal(r->at_serial, 0);
	assert_int_equal(r->at_serial, port->serial);
	assert_int_equal(r->src_serial, source->serial);
	assert_int_not_equal(r->src_serial, r->at_serial);
	assert_int_equal(r->src_nic_index, 2);
	assert_int_equal(r->direction, DROP_OUT);
	assert_int_equal(r->reason, DROP_Resources);
	assert_int_equal(r->flags, VNBL_HAS_TAG | VNBL_FLOOD | VNBL_DROPPED);
	assert_int_equal(r->frame_size, 1500);
	assert_int_equal(r->safe_size, 100);
	assert_int_equal(r->n_bytes, 100);
	assert_int_equal(r->vlan_tci, 0x2007);
	assert_int_equal(r->vlan_tpid, 0x88a8);
	assert_int_equal(r->n_pieces, 3);
	assert_memory_equal(&r->offload, &v.offload, sizeof(v.offload));
	assert_memory_equal(drops->bytes[0], v.hdr, 100);
	assert_int_equal(drops->bytes[0][100], 0);
	assert_int_equal(v.flags, VNBL_HAS_TAG | VNBL_FLOOD);
}

// Ingress has not told it yet.
static void what_comes_in_is_of_the_port_itself(void **state)
{
	make_frame(60, 60);
	v.src_port = NULL;
	v.src_port_id = 0;
	droplog_drop(&port->stats[0], DROP_IN, DROP_InvalidPacket, &v);
	assert_ptr_equal(drops->records[0].src_port, port);
	assert_int_equal(drops->records[0].src_port_id, 7);
	assert_int_equal(drops->records[0].src_serial, port->serial);
	// From another proc's ring.
	v.src_port_id = 8;
	droplog_drop(&port->stats[0], DROP_OUT, DROP_Resources, &v);
	assert_ptr_equal(drops->records[1].src_port, NULL);
	assert_int_equal(drops->records[1].src_port_id, 8);
	assert_int_equal(drops->records[1].src_serial, 0);
}

static void bytes_are_bounded(void **state)
{
	make_frame(1500, 400);
	droplog_drop(&port->stats[0], DROP_IN, DROP_Unknown, &v);
	assert_int_equal(drops->records[0].safe_size, 400);
	assert_int_equal(drops->records[0].n_bytes, DROPLOG_BYTES);
	assert_memory_equal(drops->bytes[0], v.hdr, DROPLOG_BYTES);
	assert_int_equal(drops->bytes[1][0], 0);
	make_frame(20, 128);
	droplog_drop(&port->stats[0], DROP_IN, DROP_Unknown, &v);
	assert_int_equal(drops->records[1].n_bytes, 20);
	assert_int_equal(drops->bytes[1][20], 0);
}

static void the_last_ones_are_kept(void **state)
{
	const unsigned n = DROPLOG_RECORDS + 6;

	for (unsigned i = 1; i <= n; i++) {
		make_frame(60 + i, 60);
		droplog_drop(&port->stats[0], DROP_IN, DROP_Filtered, &v);
	}
	assert_int_equal(drops->n, n);
	assert_int_equal(counted(DROP_IN, DROP_Filtered), n);
	for (unsigned i = 0; i < DROPLOG_RECORDS; i++) {
		unsigned number = i < 6 ? DROPLOG_RECORDS + 1 + i : i + 1;

		assert_int_equal(drops->records[i].number, number);
		assert_int_equal(drops->records[i].frame_size, 60 + number);
	}
}

static void several_are_kept_in_order(void **state)
{
	struct vnbl more[3];
	struct vnbl *const frames[] = {&more[0], &more[1], &more[2]};

	for (unsigned i = 0; i < 3; i++) {
		vnbl_reset(&more[i]);
		more[i].frame_size = 60 + i;
	}
	droplog_drop_all(&port->stats[0], DROP_OUT, DROP_NotReady, frames, 3);
	assert_int_equal(counted(DROP_OUT, DROP_NotReady), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(drops->records[i].frame_size, 60 + i);
}

static void without_log_port_or_bytes_it_only_counts(void **state)
{
	struct vport_stats segments = {.port = NULL};

	make_frame(60, 60);
	droplog_drop(&segments, DROP_OUT, DROP_Resources, &v);
	assert_int_equal(segments.drops[DROP_OUT][DROP_Resources], 1);
	droplog_set(NULL);
	droplog_drop(&port->stats[0], DROP_OUT, DROP_Resources, &v);
	droplog_set(drops);
	vnbl_reset(&v);
	droplog_drop(&port->stats[0], DROP_OUT, DROP_Resources, &v);
	assert_int_equal(counted(DROP_OUT, DROP_Resources), 2);
	assert_int_equal(drops->n, 0);
}

static void sums_keep_the_port(void **state)
{
	struct vport_stats sum;

	for (unsigned i = 0; i < port->n_stats; i++)
		port->stats[i].tx_completed = 1;
	vport_sum_stats(port, &sum);
	assert_ptr_equal(sum.port, port);
	assert_int_equal(sum.tx_completed, port->n_stats);
	assert_int_equal(sum.drops[DROP_DIRECTIONS - 1][DROP_COUNT - 1], 0);
}

// Frames of which all bytes, and the size, tell which they are; for good.
static void drop_for_ever(void)
{
	for (;;) {
		uint64_t number = drops->n + 1;

		v.frame_size = DROPLOG_BYTES + (uint8_t)number;
		memset(v.hdr, (int)(uint8_t)number, DROPLOG_BYTES);
		v.vlan_tci = (uint8_t)number;
		droplog_drop(&port->stats[0], DROP_IN, DROP_Filtered, &v);
	}
}

static void peek(pid_t pid, const volatile void *from, void *to, size_t size)
{
	const struct iovec local = {.iov_base = to, .iov_len = size};
	const struct iovec remote = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};

	assert_int_equal(process_vm_readv(pid, &local, 1, &remote, 1, 0), size);
}

// Reads as droplog_types.h says. False: it was written over.
static bool is_whole(pid_t pid, uint64_t number)
{
	unsigned i = (number - 1) % DROPLOG_RECORDS;
	uint8_t bytes[DROPLOG_BYTES];
	struct droplog_record r;
	uint64_t after;

	peek(pid, &drops->records[i], &r, sizeof(r));
	peek(pid, drops->bytes[i], bytes, sizeof(bytes));
	peek(pid, &drops->records[i].number, &after, sizeof(after));
	if (r.number != number || after != number)
		return false;
	assert_int_equal(r.frame_size, DROPLOG_BYTES + (uint8_t)number);
	assert_int_equal(r.vlan_tci, (uint8_t)number);
	for (unsigned b = 0; b < DROPLOG_BYTES; b++)
		assert_int_equal(bytes[b], (uint8_t)number);
	return true;
}

static void another_process_sees_whole_records(void **state)
{
	clock_t end;
	unsigned whole = 0, gone = 0;
	pid_t pid;

	make_frame(DROPLOG_BYTES, DROPLOG_BYTES);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); // also when an assertion fails
		drop_for_ever();
	}
	end = clock() + CLOCKS_PER_SEC / 1000 * READ_MS;
	while (clock() < end || whole == 0) {
		uint64_t n;

		peek(pid, &drops->n, &n, sizeof(n));
		for (uint64_t i = 0; i < DROPLOG_RECORDS && i < n; i += 7) {
			if (is_whole(pid, n - i))
				whole++;
			else
				gone++;
		}
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	print_message("%u records read, %u written over meanwhile\n", whole, gone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_the_frame_as_it_was),
		TEST(what_comes_in_is_of_the_port_itself),
		TEST(bytes_are_bounded),
		TEST(the_last_ones_are_kept),
		TEST(several_are_kept_in_order),
		TEST(without_log_port_or_bytes_it_only_counts),
		TEST(sums_keep_the_port),
		TEST(another_process_sees_whole_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
