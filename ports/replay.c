#include "ports/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ports/hostio.h"
#include "ports/vnbl.h"
#include "ports/vport.h"

enum { NS_PER_S = 1000000000 };

static_assert((REPLAY_RING_SIZE & (REPLAY_RING_SIZE - 1)) == 0, "counts are taken modulo");
static_assert(sizeof(struct replay_record) + VNBL_FRAME_MAX <= REPLAY_RING_SIZE / 2,
	      "when half of the ring is free, there is room for any frame");

static FILE *open_file(const char *path, struct errtext *e);
static int open_capture(struct replay *r, const char *path, struct errtext *e);
static int start_thread(struct replay *r, struct errtext *e);
static void leave(struct replay *r);
static bool look_at_next(struct replay *r, uint64_t tail, int64_t now_ns);
static bool has_news(struct replay *r, uint64_t tail);
static void give_back(struct replay *r, uint64_t tail);
static void take_bytes(const struct replay *r, uint64_t at, void *to, uint32_t size);
static void *run(void *arg);
static bool read_frame(struct replay *r);
static void read_to_end(struct replay *r, int rc);
static void wait_for_room(struct replay *r, uint64_t head);
static void put_bytes(struct replay *r, uint64_t at, const void *data, uint32_t size);
static void tell_proc(struct replay *r);

int replay_open(const char *path, struct replay **ret, struct errtext *e)
{
	struct replay *r = aligned_alloc(64, sizeof(*r));
	int rc;

	if (r == NULL)
		return errtext_set(e, -ENOMEM, "not enough memory to replay '%s'", path);
	// Ring and arena are not touched here.
	memset(r, 0, offsetof(struct replay, ring));
	atomic_init(&r->n_users, 1);
	r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	r->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (r->timer_fd < 0 || r->wake_fd < 0) {
		rc = -errno;
		errtext_set(e, rc, "cannot make a timer: %s", strerror(-rc));
	} else {
		rc = open_capture(r, path, e);
	}
	// A short file needs no thread.
	while (rc == 0 && atomic_load_explicit(&r->head, memory_order_relaxed) < REPLAY_PRELOAD &&
	       read_frame(r))
		;
	if (rc == 0 && !atomic_load_explicit(&r->is_read, memory_order_relaxed))
		rc = start_thread(r, e);
	if (rc < 0) {
		leave(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void replay_close(struct replay *r)
{
	if (r == NULL)
		return;
	atomic_store_explicit(&r->is_stopping, 1, memory_order_seq_cst);
	eventfd_write(r->wake_fd, 1);
	leave(r);
}

bool replay_rx(struct replay *r, int64_t now_ns, struct vnbl_burst *burst, struct vport_stats *st)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint8_t *to = r->arena + VNBL_HEADROOM;

	if (atomic_load_explicit(&r->is_over, memory_order_relaxed))
		return false;
	for (unsigned i = 0; i < VNBL_BURST_MAX && burst->bytes < VNBL_BURST_BYTES; i++) {
		struct vnbl *v = &burst->frames[burst->n];

		if ((!r->is_waiting && !look_at_next(r, tail, now_ns)) || r->due_ns > now_ns)
			break;
		r->is_waiting = false;
		tail += sizeof(struct replay_record);
		if (r->waiting_size == 0) {
			vport_count_drop(st, DROP_IN, DROP_InvalidPacket, 1);
			continue;
		}
		take_bytes(r, tail, to, r->waiting_size);
		tail += r->waiting_size;
		vnbl_reset(v);
		hostio_set_frame(v, to, r->waiting_size);
		to += (v->frame_size + VNBL_HEADROOM + 63) & ~63U;
		burst->n++;
		burst->bytes += v->frame_size;
		r->frames++;
	}
	give_back(r, tail);
	// Nothing can come after is_read, but before it something may have.
	if (!atomic_load_explicit(&r->is_read, memory_order_acquire) ||
	    atomic_load_explicit(&r->head, memory_order_acquire) != tail)
		return false;
	atomic_store_explicit(&r->is_over, 1, memory_order_release);
	return true;
}

int replay_arm(struct replay *r, int64_t now_ns)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	struct itimerspec when = {0};

	if (atomic_load_explicit(&r->is_over, memory_order_relaxed))
		return -ENOLINK;
	if (!r->is_waiting) {
		// The thread looks at this after it has put something.
		atomic_store_explicit(&r->is_hungry, 1, memory_order_seq_cst);
		if (!has_news(r, tail))
			return r->timer_fd;
		atomic_store_explicit(&r->is_hungry, 0, memory_order_relaxed);
		return -EAGAIN;
	}
	if (r->due_ns <= now_ns)
		return -EAGAIN;
	when.it_value.tv_sec = r->due_ns / NS_PER_S;
	when.it_value.tv_nsec = r->due_ns % NS_PER_S;
	if (timerfd_settime(r->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return -ENOTSUP;
	return r->timer_fd;
}

void replay_disarm(struct replay *r)
{
	uint64_t count;

	atomic_store_explicit(&r->is_hungry, 0, memory_order_relaxed);
	(void)!read(r->timer_fd, &count, sizeof(count));
}

// Sets errno when it fails.
static FILE *open_file(const char *path, struct errtext *e)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat sb;
	FILE *f;
	int err;

	if (fd < 0) {
		err = errno;
		errtext_set(e, -err, "cannot open '%s': %s", path,
			    err == ELOOP ? "it is a symbolic link, which is not followed"
					 : strerror(err));
		errno = err;
		return NULL;
	}
	if (fstat(fd, &sb) < 0 || !S_ISREG(sb.st_mode)) {
		errtext_set(e, -EINVAL, "'%s' is no regular file", path);
		close(fd);
		errno = EINVAL;
		return NULL;
	}
	f = fdopen(fd, "r");
	if (f == NULL) {
		err = errno;
		errtext_set(e, -err, "cannot read '%s': %s", path, strerror(err));
		close(fd);
		errno = err;
	}
	return f;
}

static int open_capture(struct replay *r, const char *path, struct errtext *e)
{
	char words[PCAP_ERRBUF_SIZE] = "";
	FILE *f = open_file(path, e);
	int type;

	if (f == NULL)
		return -errno;
	r->file = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, words);
	if (r->file == NULL) {
		errtext_set(e, -EBADMSG, "'%s' is no capture file: %s (byte %ld)", path, words,
			    ftell(f));
		fclose(f);
		return -EBADMSG;
	}
	type = pcap_datalink(r->file);
	if (type != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(type);

		return errtext_set(
			e, -EMEDIUMTYPE,
			"'%s' holds frames of type %s (%d); only Ethernet can be replayed", path,
			name != NULL ? name : "?", type);
	}
	return 0;
}

// Detached: nobody waits for its end. Signals are the main thread's.
static int start_thread(struct replay *r, struct errtext *e)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setsigmask_np(&attr, &all);
	atomic_store_explicit(&r->n_users, 2, memory_order_relaxed);
	err = pthread_create(&thread, &attr, run, r);
	pthread_attr_destroy(&attr);
	if (err == 0)
		return 0;
	atomic_store_explicit(&r->n_users, 1, memory_order_relaxed);
	return errtext_set(e, -err, "cannot start the thread of a replay: %s", strerror(err));
}

static void leave(struct replay *r)
{
	if (atomic_fetch_sub_explicit(&r->n_users, 1, memory_order_acq_rel) > 1)
		return;
	if (r->file != NULL)
		pcap_close(r->file);
	if (r->timer_fd >= 0)
		close(r->timer_fd);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	free(r);
}

// Finds out when the frame at 'tail' is due. False: there is none now.
static bool look_at_next(struct replay *r, uint64_t tail, int64_t now_ns)
{
	struct replay_record h;

	if (atomic_load_explicit(&r->head, memory_order_acquire) == tail)
		return false;
	take_bytes(r, tail, &h, sizeof(h));
	if (r->start_ns == 0) {
		r->start_ns = now_ns;
		r->first_ns = h.stamp_ns;
	}
	// A stamp that goes back counts as no gap: the sum would be in the past.
	if (__builtin_sub_overflow(h.stamp_ns, r->first_ns, &r->due_ns) ||
	    __builtin_add_overflow(r->due_ns, r->start_ns, &r->due_ns) || r->due_ns < 0)
		r->due_ns = now_ns;
	r->waiting_size = h.size;
	r->is_waiting = true;
	return true;
}

static bool has_news(struct replay *r, uint64_t tail)
{
	return atomic_load_explicit(&r->head, memory_order_seq_cst) != tail ||
	       atomic_load_explicit(&r->is_read, memory_order_seq_cst);
}

// Gives the ring's space back up to 'tail', and wakes the thread when that is worth it.
static void give_back(struct replay *r, uint64_t tail)
{
	if (atomic_load_explicit(&r->tail, memory_order_relaxed) == tail)
		return;
	atomic_store_explicit(&r->tail, tail, memory_order_seq_cst);
	if (atomic_load_explicit(&r->is_sleeping, memory_order_seq_cst) &&
	    atomic_load_explicit(&r->head, memory_order_relaxed) - tail <= REPLAY_RING_SIZE / 2 &&
	    atomic_exchange_explicit(&r->is_sleeping, 0, memory_order_relaxed))
		eventfd_write(r->wake_fd, 1);
}

// Copies from the ring; 'at' is a count.
static void take_bytes(const struct replay *r, uint64_t at, void *to, uint32_t size)
{
	uint32_t place = at & (REPLAY_RING_SIZE - 1);
	uint32_t n = REPLAY_RING_SIZE - place < size ? REPLAY_RING_SIZE - place : size;

	memcpy(to, r->ring + place, n);
	memcpy((uint8_t *)to + n, r->ring, size - n);
}

static void *run(void *arg)
{
	struct replay *r = arg;

	pthread_setname_np(pthread_self(), "vsw-replay");
	while (!atomic_load_explicit(&r->is_stopping, memory_order_relaxed)) {
		if (!read_frame(r))
			break;
	}
	leave(r);
	return NULL;
}

// Reads a frame into the ring, when there is room. False: there is none any more.
static bool read_frame(struct replay *r)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	struct replay_record record = {0};
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int rc = pcap_next_ex(r->file, &h, &data);

	if (rc != 1) {
		read_to_end(r, rc);
		return false;
	}
	// With this precision, tv_usec holds nanoseconds.
	record.stamp_ns = (int64_t)h->ts.tv_sec * NS_PER_S + h->ts.tv_usec;
	record.size = h->caplen <= VNBL_FRAME_MAX ? h->caplen : 0;
	wait_for_room(r, head);
	if (atomic_load_explicit(&r->is_stopping, memory_order_relaxed))
		return false;
	put_bytes(r, head, &record, sizeof(record));
	put_bytes(r, head + sizeof(record), data, record.size);
	atomic_store_explicit(&r->head, head + sizeof(record) + record.size, memory_order_seq_cst);
	tell_proc(r);
	return true;
}

static void read_to_end(struct replay *r, int rc)
{
	if (rc == PCAP_ERROR_BREAK)
		snprintf(r->why, sizeof(r->why), "replay finished");
	else
		snprintf(r->why, sizeof(r->why), "replay stopped at byte %ld: %.200s",
			 ftell(pcap_file(r->file)), pcap_geterr(r->file));
	atomic_store_explicit(&r->is_read, 1, memory_order_seq_cst);
	tell_proc(r);
}

// Sleeps, if the ring is full, until half of it is free or the end has come.
static void wait_for_room(struct replay *r, uint64_t head)
{
	const uint64_t most = REPLAY_RING_SIZE - sizeof(struct replay_record) - VNBL_FRAME_MAX;
	eventfd_t count;

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) <= most)
		return;
	for (;;) {
		// The proc, which clears this, looks at it after it has moved tail.
		atomic_store_explicit(&r->is_sleeping, 1, memory_order_seq_cst);
		if (head - atomic_load_explicit(&r->tail, memory_order_seq_cst) <=
			    REPLAY_RING_SIZE / 2 ||
		    atomic_load_explicit(&r->is_stopping, memory_order_seq_cst))
			break;
		eventfd_read(r->wake_fd, &count);
	}
	atomic_store_explicit(&r->is_sleeping, 0, memory_order_relaxed);
}

// Copies to the ring; there must be room.
static void put_bytes(struct replay *r, uint64_t at, const void *data, uint32_t size)
{
	uint32_t place = at & (REPLAY_RING_SIZE - 1);
	uint32_t n = REPLAY_RING_SIZE - place < size ? REPLAY_RING_SIZE - place : size;

	memcpy(r->ring + place, data, n);
	memcpy(r->ring, (const uint8_t *)data + n, size - n);
}

// Wakes a proc that sleeps because the ring was empty.
static void tell_proc(struct replay *r)
{
	const struct itimerspec now = {.it_value.tv_nsec = 1};

	if (atomic_load_explicit(&r->is_hungry, memory_order_seq_cst) &&
	    atomic_exchange_explicit(&r->is_hungry, 0, memory_order_seq_cst))
		timerfd_settime(r->timer_fd, 0, &now, NULL);
}
