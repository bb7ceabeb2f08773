// Needs /proc: the process that is looked at is this one, or a child.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/swproc.h"

static struct swproc_sample first, second;
static _Atomic bool enough;

static void kernel_switch_has_no_figures(void **state)
{
	assert_int_equal(swproc_sample(0, &first), 0);
	assert_true(first.now_s > 0);
	assert_true(first.cpu_s < 0 && first.busiest_s < 0 && first.waited_s < 0);
	assert_true(first.rss_mb < 0 && first.hugepages_mb < 0);
	assert_true(swproc_busiest_s(&first, &first) < 0);
}

static void burn(double cpu_s)
{
	struct timespec t;

	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec < cpu_s);
}

static void *burner(void *arg)
{
	burn(0.03);
	atomic_store(&enough, true);
	while (atomic_load(&enough))
		usleep(1000);
	return NULL;
}

static void counts_what_threads_use(void **state)
{
	pthread_t thread;

	assert_int_equal(swproc_sample(getpid(), &first), 0);
	assert_int_equal(pthread_create(&thread, NULL, burner, NULL), 0);
	while (!atomic_load(&enough))
		usleep(1000);
	assert_int_equal(swproc_sample(getpid(), &second), 0);
	atomic_store(&enough, false);
	pthread_join(thread, NULL);
	assert_true(second.now_s > first.now_s);
	assert_true(second.cpu_s - first.cpu_s >= 0.03);
	assert_int_equal(second.n_threads, first.n_threads + 1);
	assert_true(second.waited_s >= first.waited_s && first.waited_s >= 0);
	// The threads' own figures may be a timer tick behind.
	assert_true(swproc_busiest_s(&first, &second) >= 0.015);
	assert_true(swproc_busiest_s(&first, &second) <= second.cpu_s - first.cpu_s + 0.001);
	// What ended is in the sum of all.
	assert_int_equal(swproc_sample(getpid(), &first), 0);
	assert_true(first.cpu_s >= second.cpu_s);
}

static void busiest_is_the_one_that_ran_since(void **state)
{
	first = (struct swproc_sample){.n_threads = 2,
				       .threads = {{.tid = 1, .ran_ns = 5000000000}, {.tid = 2}}};
	second = first;
	second.threads[0].ran_ns += 1000000;
	second.threads[1].ran_ns += 250000000;
	assert_true(swproc_busiest_s(&first, &second) > 0.2499);
	assert_true(swproc_busiest_s(&first, &second) < 0.2501);
	second.n_threads = 3;
	second.threads[2] = (struct cpuwait_thread){.tid = 3, .ran_ns = 500000000};
	assert_true(swproc_busiest_s(&first, &second) > 0.4999);
}

static void polling_is_the_one_that_is_always_ready(void **state)
{
	first = (struct swproc_sample){
		.n_threads = 2,
		.threads = {{.tid = 1, .ran_ns = 5000000000, .waited_ns = 3000000000}, {.tid = 2}}};
	second = first;
	// Kept from running nearly all the time, while another one ran a little.
	second.threads[0].ran_ns += 10000000;
	second.threads[0].waited_ns += 990000000;
	second.threads[1].ran_ns += 20000000;
	second.threads[1].waited_ns += 5000000;
	assert_true(swproc_polling_waited_s(&first, &second) > 0.9899);
	assert_true(swproc_polling_waited_s(&first, &second) < 0.9901);
	second.n_threads = 0;
	assert_true(swproc_polling_waited_s(&first, &second) < 0);
}

static void sees_memory_come_and_go(void **state)
{
	size_t size = 32u << 20;
	char *memory;

	assert_int_equal(swproc_sample(getpid(), &first), 0);
	assert_true(first.rss_mb > 0 && first.hugepages_mb >= 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	assert_true(memory != MAP_FAILED);
	assert_int_equal(swproc_sample(getpid(), &second), 0);
	assert_true(second.rss_mb - first.rss_mb > 30);
	munmap(memory, size);
	assert_int_equal(swproc_sample(getpid(), &second), 0);
	assert_true(second.rss_mb - first.rss_mb < 2);
}

static void zombie_is_gone(void **state)
{
	siginfo_t info;
	char name[16];
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(swproc_sample(pid, &first), -ESRCH);
	assert_true(first.cpu_s < 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(swproc_sample(pid, &first), -ESRCH);
	swproc_name(pid, name, sizeof(name));
	assert_string_equal(name, "?");
}

static void name_is_printable(void **state)
{
	char name[16], few[4];

	prctl(PR_SET_NAME, "sw\033[2Jitch");
	swproc_name(getpid(), name, sizeof(name));
	prctl(PR_SET_NAME, "swproc_test");
	assert_string_equal(name, "sw?[2Jitch");
	swproc_name(getpid(), few, sizeof(few));
	assert_string_equal(few, "swp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_switch_has_no_figures),
		cmocka_unit_test(counts_what_threads_use),
		cmocka_unit_test(busiest_is_the_one_that_ran_since),
		cmocka_unit_test(polling_is_the_one_that_is_always_ready),
		cmocka_unit_test(sees_memory_come_and_go),
		cmocka_unit_test(zombie_is_gone),
		cmocka_unit_test(name_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
