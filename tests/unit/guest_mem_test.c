// The memory table, and what happens when the memory goes away.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/guest_mem.h"
#include "ports/sigbus.h"

enum { PAGE = 4096, REGION = 64 * PAGE, HUGE = 2 << 20 };

// cmocka puts a handler of its own in place before each test.
static void take_sigbus(void)
{
	assert_int_equal(sigbus_init(), 0);
}

static uint8_t *map_file(int *fd, size_t size)
{
	uint8_t *at;

	*fd = memfd_create("guest_mem_test", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(ftruncate(*fd, (off_t)size), 0);
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static struct guest_region_conf region(uint64_t gpa, uint64_t size, uint8_t *host)
{
	return (struct guest_region_conf){gpa, size, host, host, size};
}

static void translates_within_regions(void **state)
{
	alignas(PAGE) static uint8_t a[PAGE], b[PAGE];
	struct guest_region_conf conf[2] = {region(0x1000, 1000, a), region(0x1000 + 1000, 500, b)};
	struct guest_mem *mem;
	uint32_t hint = 0;
	uint64_t n;

	assert_int_equal(guest_mem_create(conf, 2, &mem, NULL), 0);
	assert_ptr_equal(guest_mem_translate(mem, &hint, 0x1000, 1000, &n), a);
	assert_int_equal(n, 1000);
	assert_ptr_equal(guest_mem_translate(mem, &hint, 0x1000 + 999, 1, &n), a + 999);
	assert_int_equal(n, 1);
	assert_int_equal(hint, 0);

	// Into the next region: in two pieces.
	assert_ptr_equal(guest_mem_translate(mem, &hint, 0x1000 + 900, 300, &n), a + 900);
	assert_int_equal(n, 100);
	assert_ptr_equal(guest_mem_translate(mem, &hint, 0x1000 + 1000, 200, &n), b);
	assert_int_equal(n, 200);
	assert_int_equal(hint, 1);

	// Behind the end, before the start, and around.
	assert_ptr_equal(guest_mem_translate(mem, &hint, 0x1000 + 1400, 300, &n), b + 400);
	assert_int_equal(n, 100);
	assert_null(guest_mem_translate(mem, &hint, 0x1000 + 1500, 1, &n));
	assert_null(guest_mem_translate(mem, &hint, 0xfff, 1, &n));
	assert_null(guest_mem_translate(mem, &hint, 0, UINT64_MAX, &n));
	assert_null(guest_mem_translate(mem, &hint, UINT64_MAX, 1, &n));
	assert_ptr_equal(guest_mem_translate(mem, &hint, 0x1000, UINT64_MAX, &n), a);
	assert_int_equal(n, 1000);
	hint = 0;
	assert_ptr_equal(guest_mem_translate(mem, &hint, 0x1000 + 1, UINT64_MAX, &n), a + 1);
	assert_int_equal(n, 999);

	assert_true(guest_mem_holds(mem, a, 1000));
	assert_true(guest_mem_holds(mem, b + 499, 1));
	assert_false(guest_mem_holds(mem, b, 501));
	assert_false(guest_mem_holds(mem, b + 500, 0));
	assert_false(guest_mem_holds(mem, b + 1, UINT64_MAX));
	assert_false(guest_mem_holds(mem, &mem, 1));
	guest_mem_destroy(mem);
}

static void refuses_impossible_regions(void **state)
{
	static uint8_t a[1000];
	struct guest_region_conf conf[GUEST_MEM_REGIONS_MAX + 1] = {0};
	struct guest_mem *mem = NULL;
	struct errtext e;

	assert_int_equal(guest_mem_create(conf, 0, &mem, &e), -EINVAL);
	for (unsigned i = 0; i <= GUEST_MEM_REGIONS_MAX; i++)
		conf[i] = region(i * 1000, 1000, a);
	assert_int_equal(guest_mem_create(conf, GUEST_MEM_REGIONS_MAX + 1, &mem, &e), -EINVAL);
	conf[1].size = 0;
	assert_int_equal(guest_mem_create(conf, 2, &mem, &e), -EINVAL);
	conf[1] = region(UINT64_MAX - 998, 1000, a);
	assert_int_equal(guest_mem_create(conf, 2, &mem, &e), -EINVAL);
	conf[1] = region(1000, 1000, a);
	conf[1].map_size = 999;
	assert_int_equal(guest_mem_create(conf, 2, &mem, &e), -EINVAL);
	conf[1].map_size = 1000;
	conf[1].host = a + 1;
	assert_int_equal(guest_mem_create(conf, 2, &mem, &e), -EINVAL);
	conf[1].host = (void *)((uintptr_t)a - 1);
	assert_int_equal(guest_mem_create(conf, 2, &mem, &e), -EINVAL);
	conf[1].host = a;
	conf[1].map = NULL;
	assert_int_equal(guest_mem_create(conf, 2, &mem, &e), -EINVAL);
	assert_true(strlen(e.text) > 10);
	assert_null(mem);
	guest_mem_destroy(NULL);
}

static void memory_that_is_cut_off_reads_as_zeros(void **state)
{
	volatile uint8_t *at, *other;
	int fd, other_fd;
	struct guest_region_conf conf[2];
	struct guest_mem *mem;

	take_sigbus();
	at = map_file(&fd, REGION);
	other = map_file(&other_fd, REGION);
	conf[0] = region(0, REGION, (uint8_t *)(uintptr_t)at);
	conf[1] = region(REGION, REGION, (uint8_t *)(uintptr_t)other);
	assert_int_equal(guest_mem_create(conf, 2, &mem, NULL), 0);
	memset((void *)(uintptr_t)at, 1, REGION);
	memset((void *)(uintptr_t)other, 2, REGION);
	assert_false(guest_mem_broken(mem));

	assert_int_equal(ftruncate(fd, 10 * PAGE), 0);
	assert_int_equal(at[0], 1);
	assert_false(guest_mem_broken(mem));
	at[20 * PAGE + 5] = 7; // a write that faults, and goes through
	assert_true(guest_mem_broken(mem));
	assert_int_equal(at[20 * PAGE + 5], 7);
	assert_int_equal(at[30 * PAGE], 0);
	assert_int_equal(at[0], 0);
	assert_int_equal(other[0], 2);

	// The other mapping is watched as before.
	assert_int_equal(ftruncate(other_fd, 0), 0);
	assert_int_equal(other[PAGE], 0);
	guest_mem_destroy(mem);
	munmap((void *)(uintptr_t)at, REGION);
	munmap((void *)(uintptr_t)other, REGION);
	close(fd);
	close(other_fd);
}

// Runs 'f' in a child; returns the signal that killed it, 0 if none did.
static int signal_of(void (*f)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		alarm(20);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void touch_what_nobody_registered(void)
{
	int fd;
	volatile uint8_t *at = map_file(&fd, PAGE);

	if (ftruncate(fd, 0) == 0)
		at[0] = 1;
}

static void touch_what_was_removed(void)
{
	int fd;
	volatile uint8_t *at = map_file(&fd, PAGE);
	struct guest_region_conf conf = region(0, PAGE, (uint8_t *)(uintptr_t)at);
	struct guest_mem *mem;

	if (guest_mem_create(&conf, 1, &mem, NULL) != 0 || ftruncate(fd, 0) != 0)
		_exit(1);
	guest_mem_destroy(mem);
	at[0] = 1;
}

static void be_killed(void)
{
	kill(getpid(), SIGBUS);
}

static void any_other_sigbus_is_a_crash(void **state)
{
	take_sigbus();
	assert_int_equal(signal_of(touch_what_nobody_registered), SIGBUS);
	assert_int_equal(signal_of(touch_what_was_removed), SIGBUS);
	assert_int_equal(signal_of(be_killed), SIGBUS);
}

static void *touch_all(void *arg)
{
	volatile uint8_t *at = arg;

	for (unsigned i = 0; i < REGION; i += PAGE)
		at[i] = 1;
	return NULL;
}

static void threads_may_fault_together(void **state)
{
	struct guest_region_conf conf;
	struct guest_mem *mem;
	pthread_t threads[3];
	uint8_t *at, *again;
	int fd;

	take_sigbus();
	for (unsigned round = 0; round < 300; round++) {
		at = map_file(&fd, REGION);
		conf = region(0, REGION, at);
		assert_int_equal(guest_mem_create(&conf, 1, &mem, NULL), 0);
		assert_int_equal(ftruncate(fd, 0), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, touch_all, at), 0);
		for (unsigned i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		assert_true(guest_mem_broken(mem));
		guest_mem_destroy(mem);
		munmap(at, REGION);
		close(fd);

		// Whoever gets the addresses next must not find zeros put over them.
		again = mmap(at, REGION, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (again == MAP_FAILED)
			continue;
		memset(again, 5, REGION);
		for (unsigned i = 0; i < REGION; i += PAGE)
			assert_int_equal(again[i], 5);
		munmap(again, REGION);
	}
}

static void a_mapping_may_be_watched_twice(void **state)
{
	struct guest_region_conf conf;
	struct guest_mem *old, *new;
	volatile uint8_t *at;
	int fd;

	take_sigbus();
	// As while a table is replaced by an equal one.
	at = map_file(&fd, REGION);
	conf = region(0, REGION, (uint8_t *)(uintptr_t)at);
	assert_int_equal(guest_mem_create(&conf, 1, &old, NULL), 0);
	assert_int_equal(guest_mem_create(&conf, 1, &new, NULL), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	at[0] = 1;
	assert_true(guest_mem_broken(old));
	assert_true(guest_mem_broken(new));
	guest_mem_destroy(old);
	guest_mem_destroy(new);
	munmap((void *)(uintptr_t)at, REGION);
	close(fd);
}

static void slots_run_out_and_come_back(void **state)
{
	_Atomic uint32_t broken = 0;
	static int slots[SIGBUS_SLOTS];
	static uint8_t page[PAGE];

	for (unsigned round = 0; round < 2; round++) {
		for (int i = 0; i < SIGBUS_SLOTS; i++) {
			slots[i] = sigbus_add(page, PAGE, &broken);
			assert_true(slots[i] >= 0);
		}
		assert_int_equal(sigbus_add(page, PAGE, &broken), -ENOSPC);
		for (int i = 0; i < SIGBUS_SLOTS; i++)
			sigbus_remove(slots[i]);
	}
}

// VmFlags of the mapping that holds 'addr', from /proc/self/smaps.
static bool in_core_dumps(const void *addr)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	char line[512];
	bool here = false, dumped = true;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (uintptr_t)addr >= start && (uintptr_t)addr < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			dumped = strstr(line, " dd ") == NULL;
	}
	fclose(f);
	return dumped;
}

static void only_rings_are_in_core_dumps(void **state)
{
	struct guest_region_conf conf;
	struct guest_mem *mem;
	uint8_t *at;
	int fd;

	at = map_file(&fd, REGION);
	conf = region(0, REGION, at);
	assert_true(in_core_dumps(at));
	assert_int_equal(guest_mem_create(&conf, 1, &mem, NULL), 0);
	assert_false(in_core_dumps(at));
	guest_mem_dump_range(mem, at + 5 * PAGE - 10, 20);
	assert_false(in_core_dumps(at + 3 * PAGE));
	assert_true(in_core_dumps(at + 4 * PAGE));
	assert_true(in_core_dumps(at + 5 * PAGE));
	assert_false(in_core_dumps(at + 6 * PAGE));
	guest_mem_dump_none(mem);
	assert_false(in_core_dumps(at + 4 * PAGE));

	// Neither are the zeros in the place of what went away.
	take_sigbus();
	assert_int_equal(ftruncate(fd, 0), 0);
	*(volatile uint8_t *)at = 1;
	assert_true(guest_mem_broken(mem));
	assert_false(in_core_dumps(at));
	guest_mem_destroy(mem);
	munmap(at, REGION);
	close(fd);
}

// A huge page holds a ring and much else.
static void rings_in_huge_pages_stay_out(void **state)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	struct guest_region_conf conf;
	struct guest_mem *mem;
	uint8_t *at = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, HUGE) == 0)
		at = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		close(fd);
		skip();
	}
	conf = region(0, HUGE, at);
	assert_int_equal(guest_mem_create(&conf, 1, &mem, NULL), 0);
	guest_mem_dump_range(mem, at, 4096);
	assert_false(in_core_dumps(at));
	guest_mem_destroy(mem);
	munmap(at, HUGE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translates_within_regions),
		cmocka_unit_test(refuses_impossible_regions),
		cmocka_unit_test(slots_run_out_and_come_back),
		cmocka_unit_test(memory_that_is_cut_off_reads_as_zeros),
		cmocka_unit_test(any_other_sigbus_is_a_crash),
		cmocka_unit_test(threads_may_fault_together),
		cmocka_unit_test(a_mapping_may_be_watched_twice),
		cmocka_unit_test(only_rings_are_in_core_dumps),
		cmocka_unit_test(rings_in_huge_pages_stay_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
