/*
 * The ring is an array of slots, each with a sequence number that says whose turn it is:
 * a writer takes the next position by compare-and-swap, fills the slot, and hands it over by
 * raising the number; the drainer does the same at the other end. So no thread ever waits for
 * another, and a writer that is preempted half way only delays the lines behind its own.
 *
 * stderr is shared with whoever started us, so O_NONBLOCK must not be set on it: that would
 * change their terminal, too. Pipes and terminals are opened once more for a description of
 * our own, sockets are written with MSG_DONTWAIT, and plain files do not block.
 */
#include "ports/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_log.h>

enum {
	OUT_LINE_SIZE = LOG_LINE_SIZE + 64, // with prefix and newline
	FINI_WAIT_MS = 1000,
	PIPE_ATOMIC = 4096 // a pipe that polls writable takes this much
};

struct slot {
	alignas(64) _Atomic uint64_t turn; // position + 0: free, + 1: filled
	enum log_level level;
	struct timespec when;
	char text[LOG_LINE_SIZE];
};

enum out_kind { OUT_FILE, OUT_SOCKET, OUT_NONBLOCK, OUT_POLL };

static struct {
	_Atomic bool running;
	_Atomic int level;
	int event_fd;
	int out_fd; // where lines go; STDERR_FILENO or our own description of it
	enum out_kind out_kind;
	bool journal;

	alignas(64) _Atomic uint64_t tail; // next position to write
	_Atomic uint64_t lost;             // lines that found no slot
	alignas(64) uint64_t head;         // next position to drain; main thread
	uint64_t lost_told;                // of 'lost': already reported

	char pending[OUT_LINE_SIZE]; // line under way to stderr
	size_t pending_size;
	size_t pending_done;

	struct slot slots[LOG_RING_LINES];
} ring = {.level = LOG_LEVEL_INFO, .event_fd = -1, .out_fd = STDERR_FILENO};

static FILE *dpdk_stream;
static struct {
	char partial[LOG_LINE_SIZE];
	size_t size;
	char error[LOG_LINE_SIZE];
} dpdk_log; // under the FILE's own lock

static bool ring_put(enum log_level level, const char *text);
static bool ring_get(enum log_level *level, struct timespec *when, char *text);
static bool next_line(void);
static size_t format_line(char *out, enum log_level level, const struct timespec *when,
			  const char *text);
static bool push_pending(void);
static ssize_t write_some(const char *data, size_t size);
static void open_output(void);
static bool stderr_is_journal(void);
static void wake_drainer(void);
static ssize_t dpdk_write(void *cookie, const char *data, size_t size);

int log_init(enum log_level level)
{
	if (ring.event_fd < 0)
		ring.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ring.event_fd < 0)
		return -errno;
	for (uint64_t i = 0; i < LOG_RING_LINES; i++)
		atomic_store_explicit(&ring.slots[i].turn, i, memory_order_relaxed);
	atomic_store(&ring.tail, 0);
	ring.head = 0;
	ring.pending_size = 0;
	ring.pending_done = 0;
	ring.lost_told = atomic_load(&ring.lost);
	atomic_store(&ring.level, level);
	ring.journal = stderr_is_journal();
	open_output();
	atomic_store(&ring.running, true);
	return 0;
}

void log_fini(void)
{
	struct timespec start, now;
	long spent_ms = 0;

	if (!atomic_exchange(&ring.running, false))
		return;
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (log_drain() && spent_ms < FINI_WAIT_MS) {
		struct pollfd p = {.fd = ring.out_fd, .events = POLLOUT};

		poll(&p, 1, (int)(FINI_WAIT_MS - spent_ms));
		clock_gettime(CLOCK_MONOTONIC, &now);
		spent_ms = (now.tv_sec - start.tv_sec) * 1000 +
			   (now.tv_nsec - start.tv_nsec) / 1000000;
	}
	if (ring.out_fd != STDERR_FILENO)
		close(ring.out_fd);
	ring.out_fd = STDERR_FILENO;
	close(ring.event_fd);
	ring.event_fd = -1;
}

bool log_drain(void)
{
	uint64_t count;

	// Cleared before looking, so that a line written meanwhile raises it again.
	if (ring.event_fd >= 0 && read(ring.event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return false;
	for (;;) {
		if (!push_pending())
			return true;
		if (!next_line())
			return false;
	}
}

int log_fd(void)
{
	return ring.event_fd;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE_SIZE];
	va_list ap;
	int size;

	if ((int)level > atomic_load_explicit(&ring.level, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	size = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (size < 0)
		return;
	if (size >= (int)sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	while (size > 0 && size < (int)sizeof(text) && text[size - 1] == '\n')
		text[--size] = '\0';
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' '; // one line stays one line, and no terminal is told anything
	}
	if (!atomic_load_explicit(&ring.running, memory_order_acquire)) {
		fprintf(stderr, "vswd: %s\n", text);
		return;
	}
	if (!ring_put(level, text))
		atomic_fetch_add_explicit(&ring.lost, 1, memory_order_relaxed);
	wake_drainer();
}

int log_capture_dpdk(void)
{
	const cookie_io_functions_t io = {.write = dpdk_write};

	if (dpdk_stream != NULL)
		return 0;
	dpdk_stream = fopencookie(NULL, "w", io);
	if (dpdk_stream == NULL)
		return -ENOMEM;
	setvbuf(dpdk_stream, NULL, _IOLBF, BUFSIZ);
	return rte_openlog_stream(dpdk_stream) < 0 ? -EINVAL : 0;
}

const char *log_dpdk_error(void)
{
	return dpdk_log.error;
}

static bool ring_put(enum log_level level, const char *text)
{
	uint64_t at = atomic_load_explicit(&ring.tail, memory_order_relaxed);
	struct slot *s;

	for (;;) {
		uint64_t turn;

		s = &ring.slots[at % LOG_RING_LINES];
		turn = atomic_load_explicit(&s->turn, memory_order_acquire);
		if (turn == at) {
			if (atomic_compare_exchange_weak_explicit(&ring.tail, &at, at + 1,
								  memory_order_relaxed,
								  memory_order_relaxed))
				break;
		} else if (turn < at) {
			return false; // the drainer has not been here since the last round
		} else {
			at = atomic_load_explicit(&ring.tail, memory_order_relaxed);
		}
	}
	s->level = level;
	clock_gettime(CLOCK_REALTIME, &s->when);
	memcpy(s->text, text, strlen(text) + 1);
	atomic_store_explicit(&s->turn, at + 1, memory_order_release);
	return true;
}

static bool ring_get(enum log_level *level, struct timespec *when, char *text)
{
	struct slot *s = &ring.slots[ring.head % LOG_RING_LINES];

	if (atomic_load_explicit(&s->turn, memory_order_acquire) != ring.head + 1)
		return false;
	*level = s->level;
	*when = s->when;
	memcpy(text, s->text, LOG_LINE_SIZE);
	atomic_store_explicit(&s->turn, ring.head + LOG_RING_LINES, memory_order_release);
	ring.head++;
	return true;
}

// Makes the next waiting line, or the report of lost ones, the pending one.
static bool next_line(void)
{
	char text[LOG_LINE_SIZE];
	enum log_level level;
	struct timespec when;
	uint64_t lost;

	if (!ring_get(&level, &when, text)) {
		lost = atomic_load_explicit(&ring.lost, memory_order_relaxed);
		if (lost == ring.lost_told)
			return false;
		// Told when the ring is empty again, so that it stands where the gap is.
		snprintf(text, sizeof(text), "%llu log lines were lost: stderr did not take them",
			 (unsigned long long)(lost - ring.lost_told));
		ring.lost_told = lost;
		level = LOG_LEVEL_WARN;
		clock_gettime(CLOCK_REALTIME, &when);
	}
	ring.pending_size = format_line(ring.pending, level, &when, text);
	ring.pending_done = 0;
	return true;
}

static size_t format_line(char *out, enum log_level level, const struct timespec *when,
			  const char *text)
{
	static const int priority[] = {3, 4, 6, 7};
	static const char *const word[] = {"error", "warn", "info", "debug"};
	struct tm tm;
	int size;

	if (ring.journal) {
		size = snprintf(out, OUT_LINE_SIZE, "<%d>%s\n", priority[level], text);
	} else {
		localtime_r(&when->tv_sec, &tm);
		size = snprintf(out, OUT_LINE_SIZE, "%04d-%02d-%02d %02d:%02d:%02d.%03d %-5s %s\n",
				tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
				tm.tm_sec, (int)(when->tv_nsec / 1000000), word[level], text);
	}
	return size < OUT_LINE_SIZE ? (size_t)size : OUT_LINE_SIZE - 1;
}

// Returns true when nothing is pending any more.
static bool push_pending(void)
{
	while (ring.pending_done < ring.pending_size) {
		ssize_t n = write_some(ring.pending + ring.pending_done,
				       ring.pending_size - ring.pending_done);

		if (n >= 0) {
			ring.pending_done += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return false;
		// stderr is gone for good: there is nobody to tell.
		ring.pending_done = ring.pending_size;
	}
	return true;
}

static ssize_t write_some(const char *data, size_t size)
{
	struct pollfd p = {.fd = ring.out_fd, .events = POLLOUT};

	switch (ring.out_kind) {
	case OUT_SOCKET:
		return send(ring.out_fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUT_POLL:
		if (poll(&p, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		return write(ring.out_fd, data, size < PIPE_ATOMIC ? size : PIPE_ATOMIC);
	case OUT_FILE:
	case OUT_NONBLOCK:
		break;
	}
	return write(ring.out_fd, data, size);
}

static void open_output(void)
{
	struct stat st;
	int fd;

	ring.out_fd = STDERR_FILENO;
	ring.out_kind = OUT_FILE;
	if (fstat(STDERR_FILENO, &st) != 0 || S_ISREG(st.st_mode))
		return;
	if (S_ISSOCK(st.st_mode)) {
		ring.out_kind = OUT_SOCKET;
		return;
	}
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		ring.out_kind = OUT_POLL;
		return;
	}
	ring.out_fd = fd;
	ring.out_kind = OUT_NONBLOCK;
}

// systemd: JOURNAL_STREAM holds device and inode of the stream that leads to the journal.
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static void wake_drainer(void)
{
	const uint64_t one = 1;

	// It can only fail when the count is at its maximum, and then it is readable anyway.
	if (write(ring.event_fd, &one, sizeof(one)) < 0)
		return;
}

// Called with the FILE's lock held, by any thread of the process.
static ssize_t dpdk_write(void *cookie, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n') {
			if (dpdk_log.size < sizeof(dpdk_log.partial) - 1)
				dpdk_log.partial[dpdk_log.size++] = data[i];
			continue;
		}
		dpdk_log.partial[dpdk_log.size] = '\0';
		dpdk_log.size = 0;
		if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR)
			memcpy(dpdk_log.error, dpdk_log.partial, sizeof(dpdk_log.error));
		log_debug("dpdk: %s", dpdk_log.partial);
	}
	return (ssize_t)size;
}
