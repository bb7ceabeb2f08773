// Several procs send to one NIC: nobody waits, nothing is lost uncounted, order per sender holds.
// Needs EAL without hugepages, for the inbox holds mbufs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include <rte_mempool.h>

#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "tests/fake_nic.h"
#include "tests/unit/eal.h"

enum { SENDERS = 4, BURSTS = 20000, SETTLE = 8, BURST = 4, FRAME = 64, POOL = 4095 };

struct frame_body {
	uint32_t sender;
	uint32_t sequence;
};

static struct fake_nic *nic;
static _Atomic uint32_t inside;    // senders in look_at() at once: 0 or 1
static uint32_t next_seq[SENDERS]; // written under the NIC's lock
static uint64_t received;
static bool out_of_order, overlapped;

static void look_at(struct fake_nic *fake, struct vnbl *const frames[], unsigned count)
{
	if (atomic_fetch_add(&inside, 1) != 0)
		overlapped = true;
	for (unsigned i = 0; i < count; i++) {
		struct frame_body body;

		memcpy(&body, frames[i]->hdr + FRAME - sizeof(body), sizeof(body));
		// Frames may be missing (a full inbox is counted), never late.
		if (body.sequence < next_seq[body.sender])
			out_of_order = true;
		next_seq[body.sender] = body.sequence + 1;
	}
	received += count;
	// Make collisions likely on a machine with few cores.
	if (received % 64 == 0)
		sched_yield();
	atomic_fetch_sub(&inside, 1);
}

struct sender {
	unsigned number;
	struct vport_stats st;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct vnbl frames[BURST], *pointers[BURST];
	uint32_t sequence = 0;

	for (unsigned b = 0; b < BURSTS; b++) {
		for (unsigned i = 0; i < BURST; i++) {
			struct frame_body body = {.sender = s->number, .sequence = sequence++};

			vnbl_reset(&frames[i]);
			memset(frames[i].safe, 0, FRAME);
			memcpy(frames[i].safe + FRAME - sizeof(body), &body, sizeof(body));
			frames[i].frame_size = frames[i].safe_size = FRAME;
			pointers[i] = &frames[i];
		}
		vnic_tx(&nic->nic, 0, pointers, BURST, &s->st, s->number);
		for (unsigned i = 0; i < BURST; i++)
			vnbl_release(&frames[i]);
		if (b % SETTLE == SETTLE - 1)
			vnic_settle();
	}
	return NULL;
}

static void every_frame_arrives_in_order_or_is_counted(void **state)
{
	static struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	uint64_t sent = 0, dropped = 0;

	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i].number = i;
		assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < SENDERS; i++) {
		sent += senders[i].st.tx_frames;
		dropped += senders[i].st.drops[DROP_OUT][DROP_Busy];
		dropped += senders[i].st.drops[DROP_OUT][DROP_Resources];
	}
	assert_false(overlapped);
	assert_false(out_of_order);
	assert_int_equal(sent, received);
	assert_int_equal(sent + dropped, (uint64_t)SENDERS * BURSTS * BURST);
	// Nothing stays behind in the inbox, and no mbuf is lost.
	assert_int_equal(rte_mempool_avail_count(vnbl_pool()), POOL);
}

static int setup(void **state)
{
	if (eal_start() < 0 || vnbl_init(POOL) < 0)
		return -1;
	nic = fake_nic_create();
	if (nic == NULL)
		return -1;
	nic->sent = look_at;
	return 0;
}

static int teardown(void **state)
{
	fake_nic_destroy(nic);
	vnbl_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_arrives_in_order_or_is_counted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
