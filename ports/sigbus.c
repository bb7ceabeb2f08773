#include "ports/sigbus.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum slot_state { SLOT_FREE, SLOT_CLAIMED, SLOT_LIVE };

// One watched mapping. The fields under 'state' are written while it is SLOT_CLAIMED and are
// constant while it is SLOT_LIVE.
struct slot {
	_Atomic uint32_t state; // enum slot_state
	uint32_t pad;
	uint8_t *start;
	size_t size;
	_Atomic uint32_t *broken;
};

static struct slot slots[SIGBUS_SLOTS];

// Handlers that may be using a slot. sigbus_remove() waits for zero; handlers are short, and
// a mapping fails once, so it gets there.
static _Atomic uint32_t handlers;

// What sigbus_forgive() set for this thread.
static __thread _Atomic uint32_t *forgiving;

static void handle(int signo, siginfo_t *info, void *context);
static bool repair(const uint8_t *addr);
static bool repair_page(const uint8_t *addr);
static void *map_zeros(void *start, size_t size);
static void crash(const siginfo_t *info);

int sigbus_init(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = handle;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGBUS, &sa, NULL) != 0)
		return -errno;
	return 0;
}

int sigbus_add(void *start, size_t size, _Atomic uint32_t *broken)
{
	uint32_t expected;
	struct slot *s;

	for (int i = 0; i < SIGBUS_SLOTS; i++) {
		s = &slots[i];
		expected = SLOT_FREE;
		if (!atomic_compare_exchange_strong(&s->state, &expected, SLOT_CLAIMED))
			continue;
		s->start = start;
		s->size = size;
		s->broken = broken;
		atomic_store(&s->state, SLOT_LIVE);
		return i;
	}
	return -ENOSPC;
}

void sigbus_remove(int slot)
{
	struct slot *s = &slots[slot];

	// Sequentially consistent on both sides: a handler either is counted here, or finds the
	// slot not live.
	atomic_store(&s->state, SLOT_CLAIMED);
	while (atomic_load(&handlers) != 0)
		sched_yield();
	atomic_store(&s->state, SLOT_FREE);
}

void sigbus_forgive(_Atomic uint32_t *fault)
{
	forgiving = fault;
}

// Only system calls and lock-free atomics from here on: this interrupts any code at all.
static void handle(int signo, siginfo_t *info, void *context)
{
	int saved = errno;
	bool machine_check = info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO;
	bool repaired = false;

	(void)signo;
	(void)context;
	if (info->si_code > 0 && !machine_check) {
		atomic_fetch_add(&handlers, 1);
		repaired = repair(info->si_addr);
		atomic_fetch_sub(&handlers, 1);
		if (!repaired && forgiving != NULL)
			repaired = repair_page(info->si_addr);
	}
	if (!repaired)
		crash(info);
	errno = saved;
}

static bool repair(const uint8_t *addr)
{
	bool repaired = false;
	struct slot *s;
	void *zeros;

	// All slots that hold the address: a mapping is watched twice for a moment when the
	// table of a peer is replaced by one that is partly the same.
	for (unsigned i = 0; i < SIGBUS_SLOTS; i++) {
		s = &slots[i];
		if (atomic_load(&s->state) != SLOT_LIVE)
			continue;
		if ((uintptr_t)addr - (uintptr_t)s->start >= s->size)
			continue;
		zeros = map_zeros(s->start, s->size);
		if (zeros == MAP_FAILED)
			return false;
		atomic_store(s->broken, 1);
		repaired = true;
	}
	return repaired;
}

/*
 * Zeros in place of the page that failed. How large it is cannot be known, but a mapping of large
 * pages refuses to be replaced by less than one of them, so the smallest size that works is
 * the right one.
 */
static bool repair_page(const uint8_t *addr)
{
	static const uintptr_t sizes[] = {1u << 12, 1u << 21, 1u << 30};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		void *page = (void *)((uintptr_t)addr & ~(sizes[i] - 1));

		if (map_zeros(page, sizes[i]) == MAP_FAILED)
			continue;
		atomic_store(forgiving, 1);
		return true;
	}
	return false;
}

// Frames that are under way may still be written there, so it is kept out of cores like the memory
// before it. It is shared so that a core tells it from memory that nobody wrote to.
static void *map_zeros(void *start, size_t size)
{
	void *zeros = mmap(start, size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);

	if (zeros != MAP_FAILED)
		(void)madvise(zeros, size, MADV_DONTDUMP);
	return zeros;
}

static void crash(const siginfo_t *info)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	sigaction(SIGBUS, &sa, NULL);

	// A fault comes again when we return, and the core then shows the true place. What would
	// not come again (kill(2), a machine check found in passing) is raised; it is blocked
	// until we return.
	if (info->si_code <= 0 || info->si_code == BUS_MCEERR_AO)
		raise(SIGBUS);
}
