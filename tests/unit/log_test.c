#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_log.h>

#include "ports/log.h"

enum { THREADS = 4, LINES_EACH = 100, OUTPUT_SIZE = 1 << 20 };

static int real_stderr;
static int reader; // our end of what stands for stderr

// Makes the write end of a pair our stderr.
static void redirect(int fds[2])
{
	fflush(stderr);
	reader = fds[0];
	assert_return_code(dup2(fds[1], STDERR_FILENO), errno);
	close(fds[1]);
	fcntl(reader, F_SETFL, O_NONBLOCK);
}

static void redirect_pipe(void)
{
	int fds[2];

	assert_return_code(pipe(fds), errno);
	redirect(fds);
}

static void restore(void)
{
	fflush(stderr);
	dup2(real_stderr, STDERR_FILENO);
	close(reader);
}

static char *read_output(void)
{
	char *text = malloc(OUTPUT_SIZE);
	size_t size = 0;
	ssize_t n;

	while ((n = read(reader, text + size, OUTPUT_SIZE - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	return text;
}

static unsigned count(const char *text, const char *what)
{
	unsigned found = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		found++;
	return found;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void lines_have_time_and_level(void **state)
{
	char *text;

	redirect_pipe();
	log_error("before %d", 1);
	assert_int_equal(log_init(LOG_LEVEL_INFO), 0);
	log_error("bad %s", "thing");
	log_info("good");
	log_debug("not kept");
	assert_false(log_drain());
	text = read_output();
	log_fini();
	log_info("after");
	assert_non_null(strstr(text, "before 1\n"));
	assert_non_null(strstr(text, " error bad thing\n"));
	assert_non_null(strstr(text, " info  good\n"));
	assert_null(strstr(text, "not kept"));
	free(text);
	text = read_output();
	assert_non_null(strstr(text, "after\n"));
	restore();
	free(text);
}

static void the_journal_gets_prefixes(void **state)
{
	struct stat st;
	char name[64];
	int fds[2];
	char *text;

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), errno);
	assert_return_code(fstat(fds[1], &st), errno);
	redirect(fds);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	log_init(LOG_LEVEL_DEBUG);
	log_warn("w");
	log_debug("d");
	log_fini();
	// Of somebody else's stream the variable says nothing about ours.
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init(LOG_LEVEL_INFO);
	log_info("plain");
	log_fini();
	unsetenv("JOURNAL_STREAM");
	text = read_output();
	restore();
	assert_non_null(strstr(text, "<4>w\n<7>d\n"));
	assert_non_null(strstr(text, "info  plain\n"));
	free(text);
}

static void long_and_foreign_text_stays_one_line(void **state)
{
	char longer[2 * LOG_LINE_SIZE];
	char *text;

	redirect_pipe();
	log_init(LOG_LEVEL_INFO);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	log_info("%s", longer);
	log_info("a\nb\033[2Jc\n");
	log_drain();
	text = read_output();
	log_fini();
	restore();
	assert_int_equal(count(text, "\n"), 2);
	assert_non_null(strstr(text, "xxx...\n"));
	assert_non_null(strstr(text, "a b [2Jc\n"));
	free(text);
}

static void check_full(void)
{
	int64_t began = now_ms();
	unsigned lines = 0;
	char *text;

	log_init(LOG_LEVEL_INFO);
	// More than the kernel and the ring hold together.
	for (unsigned i = 0; i < 20 * LOG_RING_LINES; i++) {
		log_info("line %u of very many, long enough to fill what holds them", i);
		if (i % 100 == 0)
			log_drain();
	}
	assert_true(log_drain());
	assert_true(now_ms() - began < 5000);
	// The first lines are there, none is torn, and the number of the lost ones is told.
	for (unsigned i = 0; i < 1000 && lines < LOG_RING_LINES; i++) {
		text = read_output();
		if (i == 0)
			assert_non_null(strstr(text, "line 0 of"));
		lines += count(text, "fill what holds them\n");
		free(text);
		log_drain();
	}
	log_info("the last");
	assert_false(log_drain());
	text = read_output();
	assert_non_null(strstr(text, "the last\n"));
	free(text);
	log_fini();
}

static void a_full_pipe_blocks_nobody(void **state)
{
	redirect_pipe();
	check_full();
	assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0); // left as it was
	restore();
}

static void a_full_socket_blocks_nobody(void **state)
{
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), errno);
	redirect(fds);
	check_full();
	restore();
}

static void lost_lines_are_counted(void **state)
{
	unsigned lost = 0;
	char *text, *said;

	redirect_pipe();
	log_init(LOG_LEVEL_INFO);
	for (unsigned i = 0; i < LOG_RING_LINES + 50; i++)
		log_info("x");
	log_drain();
	text = read_output();
	while (log_drain()) {
		free(text);
		text = read_output();
	}
	said = strstr(text, " lines were lost");
	if (said == NULL) {
		free(text);
		text = read_output();
		said = strstr(text, "log lines were lost");
	}
	assert_non_null(said);
	while (said > text && said[-1] != '\n')
		said--;
	assert_int_equal(sscanf(strstr(said, "warn"), "warn %u log lines", &lost), 1);
	assert_int_equal(lost, 50);
	free(text);
	log_fini();
	restore();
}

static void fini_waits_a_second_at_most(void **state)
{
	int64_t began;

	redirect_pipe();
	log_init(LOG_LEVEL_INFO);
	for (unsigned i = 0; i < 5 * LOG_RING_LINES; i++) {
		log_info("a line that is long enough to fill a pipe of 64 kB together with others");
		if (i % 100 == 0)
			log_drain();
	}
	began = now_ms();
	log_fini();
	assert_in_range(now_ms() - began, 900, 2500);
	restore();
}

static void *write_lines(void *arg)
{
	for (unsigned i = 0; i < LINES_EACH; i++)
		log_info("thread %u line %u end", *(unsigned *)arg, i);
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t threads[THREADS];
	unsigned numbers[THREADS];
	struct pollfd p;
	char *text;

	redirect_pipe();
	log_init(LOG_LEVEL_INFO);
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	p = (struct pollfd){.fd = log_fd(), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_false(log_drain());
	assert_int_equal(poll(&p, 1, 0), 0);
	text = read_output();
	log_fini();
	restore();
	assert_int_equal(count(text, " end\n"), THREADS * LINES_EACH);
	for (unsigned t = 0; t < THREADS; t++) {
		const char *at = text;
		char line[64];

		// Each thread's lines are in its order.
		for (unsigned i = 0; i < LINES_EACH; i++) {
			snprintf(line, sizeof(line), "thread %u line %u end\n", t, i);
			at = strstr(at, line);
			assert_non_null(at);
		}
	}
	free(text);
}

static void dpdk_goes_through_it(void **state)
{
	char *text;

	redirect_pipe();
	log_init(LOG_LEVEL_DEBUG);
	assert_int_equal(log_capture_dpdk(), 0);
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "EAL: first\nEAL: second ");
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "half\n");
	log_drain();
	text = read_output();
	assert_non_null(strstr(text, "debug dpdk: EAL: first\n"));
	assert_non_null(strstr(text, "debug dpdk: EAL: second half\n"));
	assert_string_equal(log_dpdk_error(), "EAL: second half");
	log_fini();
	restore();
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_time_and_level),
		cmocka_unit_test(the_journal_gets_prefixes),
		cmocka_unit_test(long_and_foreign_text_stays_one_line),
		cmocka_unit_test(a_full_pipe_blocks_nobody),
		cmocka_unit_test(a_full_socket_blocks_nobody),
		cmocka_unit_test(lost_lines_are_counted),
		cmocka_unit_test(fini_waits_a_second_at_most),
		cmocka_unit_test(many_threads),
		cmocka_unit_test(dpdk_goes_through_it),
	};

	real_stderr = dup(STDERR_FILENO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
