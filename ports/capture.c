#include "ports/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/nethdr.h"
#include "ports/vnbl.h"
#include "ports/vnic_ops.h"

enum {
	MAGIC_NS = 0xa1b23c4d, // of a pcap file with nanoseconds
	MAGIC_US = 0xa1b2c3d4,
	MAGIC_NG = 0x0a0d0d0a, // of a pcapng file, in either byte order
	LINKTYPE_ETHERNET = 1,
	SNAPLEN = 262144, // libpcap's own limit
	FILE_MODE = 0640,
	WRITE_MAX = 64 << 10, // bytes written at a time
	RETRY_MS = 1000,      // between attempts on a full disk
	// How long the main thread waits at the end until the rest is written.
	LAST_WORDS_FILE_MS = 1000,
	LAST_WORDS_STREAM_MS = 100 // the reader may be stuck
};

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snaplen, linktype;
};

struct record_header {
	uint32_t seconds, nanoseconds;
	uint32_t size, original_size; // bytes
};
static_assert(sizeof(struct record_header) == CAPTURE_RECORD_HEADER, "the file format");
static_assert((CAPTURE_RING_SIZE & (CAPTURE_RING_SIZE - 1)) == 0, "counts are taken modulo");

static int open_path(const char *path, const struct stat *other, bool *ret_stream,
		     struct errtext *e);
static int check_file(int fd, const char *path, const struct stat *other, bool *ret_stream,
		      struct errtext *e);
static int use_callers_fd(int fd, bool *ret_stream, struct errtext *e);
static bool is_capture(uint32_t magic);
static void put_bytes(struct capture *c, uint64_t at, const void *data, uint32_t size);
static void put_frame(struct capture *c, uint64_t at, const struct vnbl *v);
static void put_header(struct capture *c);
static int start_thread(struct capture *c, struct errtext *e);
static void *run(void *arg);
static bool wait_for_work(struct capture *c);
static bool write_some(struct capture *c);
static bool write_failed(struct capture *c, int err);
static void wait_for(struct capture *c, short events, int timeout_ms);
static void note_written(struct capture *c, uint64_t tail);
static void finish(struct capture *c);

int capture_open(const char *path, int fd, const struct stat *other, struct vnic *nic,
		 struct capture **ret, struct errtext *e)
{
	struct capture *c;
	bool is_stream;
	int rc;

	if (strcmp(path, "-") == 0)
		fd = use_callers_fd(fd, &is_stream, e);
	else
		fd = open_path(path, other, &is_stream, e);
	if (fd < 0)
		return fd;
	c = aligned_alloc(64, sizeof(*c));
	if (c == NULL) {
		close(fd);
		return errtext_set(e, -ENOMEM, "not enough memory for a capture");
	}
	memset(c, 0, offsetof(struct capture, ring));
	c->nic = nic;
	c->fd = fd;
	c->is_stream = is_stream;
	put_header(c);
	c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = c->wake_fd < 0 ? errtext_set(e, -errno, "cannot make an eventfd: %s", strerror(errno))
			    : start_thread(c, e);
	if (rc < 0) {
		if (c->wake_fd >= 0)
			close(c->wake_fd);
		close(fd);
		free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	atomic_store_explicit(&c->is_stopping, 1, memory_order_seq_cst);
	eventfd_write(c->wake_fd, 1);
	pthread_join(c->thread, NULL);
	close(c->wake_fd);
	close(c->fd);
	free(c);
}

bool capture_put(struct capture *c, const struct vnbl *v, const struct timespec *now)
{
	const struct record_header h = {
		.seconds = (uint32_t)now->tv_sec,
		.nanoseconds = (uint32_t)now->tv_nsec,
		.size = v->frame_size,
		.original_size = v->frame_size,
	};
	const struct vnbl_offload *o = &v->offload;
	uint64_t head = atomic_load_explicit(&c->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&c->tail, memory_order_acquire);
	uint64_t frame = head + sizeof(h);

	if (CAPTURE_RING_SIZE - (head - tail) < sizeof(h) + v->frame_size)
		return false;
	put_bytes(c, head, &h, sizeof(h));
	put_frame(c, frame, v);
	if (o->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint16_t sum = nethdr_checksum(v);

		put_bytes(c, frame + o->csum_start + o->csum_offset, &sum, sizeof(sum));
	}
	atomic_store_explicit(&c->head, frame + v->frame_size, memory_order_seq_cst);
	return true;
}

void capture_flush(struct capture *c)
{
	// The thread says that it sleeps before it looks at head for the last time.
	if (atomic_load_explicit(&c->is_sleeping, memory_order_seq_cst))
		eventfd_write(c->wake_fd, 1);
}

static int open_path(const char *path, const struct stat *other, bool *ret_stream,
		     struct errtext *e)
{
	struct stat sb;
	int rc, fd;

	// A FIFO must not be opened for reading, too: then we would never see its reader go.
	if (lstat(path, &sb) == 0 && S_ISFIFO(sb.st_mode))
		fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	else
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, FILE_MODE);
	if (fd < 0) {
		rc = -errno;
		return errtext_set(e, rc, "cannot open '%s' for a capture: %s", path,
				   rc == -ELOOP   ? "it is a symbolic link, which is not followed"
				   : rc == -ENXIO ? "nobody reads from it"
						  : strerror(-rc));
	}
	rc = check_file(fd, path, other, ret_stream, e);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

static int check_file(int fd, const char *path, const struct stat *other, bool *ret_stream,
		      struct errtext *e)
{
	uint32_t magic = 0;
	struct stat sb;
	int rc;

	if (fstat(fd, &sb) < 0) {
		rc = -errno;
		return errtext_set(e, rc, "cannot use '%s': %s", path, strerror(-rc));
	}
	*ret_stream = S_ISFIFO(sb.st_mode);
	if (*ret_stream)
		return 0;
	if (!S_ISREG(sb.st_mode))
		return errtext_set(e, -EINVAL, "'%s' is neither a file nor a FIFO", path);
	if (other != NULL && sb.st_dev == other->st_dev && sb.st_ino == other->st_ino)
		return errtext_set(e, -EINVAL, "'%s' cannot be replayed and captured to at once",
				   path);
	if (sb.st_size > 0 &&
	    (pread(fd, &magic, sizeof(magic), 0) != sizeof(magic) || !is_capture(magic)))
		return errtext_set(e, -EEXIST,
				   "'%s' exists and is no capture file; it is left as it is", path);
	if (ftruncate(fd, 0) < 0) {
		rc = -errno;
		return errtext_set(e, rc, "cannot empty '%s': %s", path, strerror(-rc));
	}
	return 0;
}

/*
 * Whether writing blocks is said by the open file, which a pipe's writer shares with the
 * program that gave it to us. So a pipe is opened anew, for us alone.
 */
static int use_callers_fd(int fd, bool *ret_stream, struct errtext *e)
{
	char path[64];
	struct stat sb;
	int own;

	if (fd < 0)
		return errtext_set(e, -EPIPE, "whoever read this capture has gone");
	if (fstat(fd, &sb) < 0 || isatty(fd) ||
	    !(S_ISFIFO(sb.st_mode) || S_ISREG(sb.st_mode) || S_ISSOCK(sb.st_mode))) {
		close(fd);
		return errtext_set(e, -EINVAL,
				   "a capture can go to a pipe, a socket or a file, not to a "
				   "terminal: append '| tcpdump -r -' or '> FILE'");
	}
	*ret_stream = !S_ISREG(sb.st_mode);
	if (!S_ISFIFO(sb.st_mode))
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	close(fd);
	if (own < 0)
		return errtext_set(e, -errno, "cannot write to the caller's pipe: %s",
				   strerror(errno));
	return own;
}

static bool is_capture(uint32_t magic)
{
	return magic == MAGIC_NS || magic == MAGIC_US || magic == MAGIC_NG ||
	       __builtin_bswap32(magic) == MAGIC_NS || __builtin_bswap32(magic) == MAGIC_US;
}

// Copies to the ring; 'at' is a count. There must be room.
static void put_bytes(struct capture *c, uint64_t at, const void *data, uint32_t size)
{
	uint32_t place = at & (CAPTURE_RING_SIZE - 1);
	uint32_t n = CAPTURE_RING_SIZE - place < size ? CAPTURE_RING_SIZE - place : size;

	memcpy(c->ring + place, data, n);
	memcpy(c->ring, (const uint8_t *)data + n, size - n);
}

static void put_frame(struct capture *c, uint64_t at, const struct vnbl *v)
{
	uint32_t place = at & (CAPTURE_RING_SIZE - 1), size = v->frame_size;
	uint32_t n = CAPTURE_RING_SIZE - place < size ? CAPTURE_RING_SIZE - place : size;

	vnbl_copy_out(v, 0, c->ring + place, n);
	vnbl_copy_out(v, n, c->ring, size - n);
}

// The file's header is the first thing in the ring; it counts as a record of its own.
static void put_header(struct capture *c)
{
	const struct file_header h = {.magic = MAGIC_NS,
				      .major = 2,
				      .minor = 4,
				      .snaplen = SNAPLEN,
				      .linktype = LINKTYPE_ETHERNET};

	put_bytes(c, 0, &h, sizeof(h));
	atomic_store_explicit(&c->head, sizeof(h), memory_order_relaxed);
	c->record_end = sizeof(h);
}

static int start_thread(struct capture *c, struct errtext *e)
{
	sigset_t all, before;
	int err;

	// Signals are the main thread's.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0)
		return errtext_set(e, -err, "cannot start the thread of a capture: %s",
				   strerror(err));
	pthread_setname_np(c->thread, "vsw-capture");
	return 0;
}

static void *run(void *arg)
{
	struct capture *c = arg;

	while (!atomic_load_explicit(&c->is_stopping, memory_order_relaxed)) {
		if (wait_for_work(c) && !write_some(c))
			return NULL;
	}
	finish(c);
	return NULL;
}

// True when there is something to write.
static bool wait_for_work(struct capture *c)
{
	uint64_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);

	if (atomic_load_explicit(&c->head, memory_order_acquire) != tail)
		return true;
	atomic_store_explicit(&c->is_sleeping, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&c->head, memory_order_seq_cst) == tail)
		wait_for(c, 0, -1); // that the reader goes is always told
	atomic_store_explicit(&c->is_sleeping, 0, memory_order_relaxed);
	// Also when there is nothing, to find out that the reader has gone.
	return true;
}

// Writes as much as goes at once. False: the reader has gone, and so should the thread.
static bool write_some(struct capture *c)
{
	uint64_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);
	uint64_t ready = atomic_load_explicit(&c->head, memory_order_acquire) - tail;
	uint32_t place = tail & (CAPTURE_RING_SIZE - 1), n = WRITE_MAX;
	struct pollfd p = {.fd = c->fd};
	ssize_t done;

	if (ready == 0)
		return !c->is_stream || poll(&p, 1, 0) <= 0 || !(p.revents & (POLLERR | POLLHUP)) ||
		       write_failed(c, EPIPE);
	if (n > ready)
		n = (uint32_t)ready;
	if (n > CAPTURE_RING_SIZE - place)
		n = CAPTURE_RING_SIZE - place;
	// A socket is shared with the caller and may block; this does not.
	done = send(c->fd, c->ring + place, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done < 0 && errno == ENOTSOCK)
		done = write(c->fd, c->ring + place, n);
	if (done < 0)
		return write_failed(c, errno);
	if (atomic_exchange_explicit(&c->error, 0, memory_order_relaxed) != 0)
		vnic_event(c->nic, VNIC_EVENT_DOWN);
	note_written(c, tail + (uint64_t)done);
	return true;
}

// True: try again.
static bool write_failed(struct capture *c, int err)
{
	if (err == EINTR)
		return true;
	if (err == EAGAIN) {
		// At the end, finish() says how long to wait.
		if (!atomic_load_explicit(&c->is_stopping, memory_order_relaxed))
			wait_for(c, POLLOUT, -1);
		return true;
	}
	if (c->is_stream) {
		atomic_store_explicit(&c->error, err, memory_order_relaxed);
		atomic_store_explicit(&c->is_gone, 1, memory_order_release);
		vnic_event(c->nic, VNIC_EVENT_DOWN);
		return false;
	}
	// A full disk may have room again; what was written is not given up for it.
	if (atomic_exchange_explicit(&c->error, err, memory_order_relaxed) != err)
		vnic_event(c->nic, VNIC_EVENT_DOWN);
	wait_for(c, 0, RETRY_MS);
	return true;
}

// Sleeps until the file takes bytes ('events'), a frame comes, the end is near, or the timeout.
static void wait_for(struct capture *c, short events, int timeout_ms)
{
	struct pollfd p[2] = {{.fd = c->wake_fd, .events = POLLIN},
			      {.fd = c->is_stream ? c->fd : -1, .events = events}};
	eventfd_t count;

	if (poll(p, 2, timeout_ms) > 0 && (p[0].revents & POLLIN))
		eventfd_read(c->wake_fd, &count);
}

// Gives the ring's space back, and keeps account of where the last record ends.
static void note_written(struct capture *c, uint64_t tail)
{
	while (c->record_end < tail) {
		struct record_header h;
		uint8_t *to = (uint8_t *)&h;

		// Still ours: tail is not told to the procs before the end of this function.
		for (unsigned i = 0; i < sizeof(h); i++)
			to[i] = c->ring[(c->record_end + i) & (CAPTURE_RING_SIZE - 1)];
		c->record_begin = c->record_end;
		c->record_end += sizeof(h) + h.size;
	}
	atomic_store_explicit(&c->tail, tail, memory_order_release);
}

// No proc puts anything any more. A file must not end in half a record.
static void finish(struct capture *c)
{
	const long most_ms = c->is_stream ? LAST_WORDS_STREAM_MS : LAST_WORDS_FILE_MS;
	struct timespec begin, now;
	uint64_t tail;
	long waited_ms;
	off_t size;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		tail = atomic_load_explicit(&c->tail, memory_order_relaxed);
		if (atomic_load_explicit(&c->head, memory_order_acquire) == tail)
			return;
		clock_gettime(CLOCK_MONOTONIC, &now);
		waited_ms = (now.tv_sec - begin.tv_sec) * 1000 +
			    (now.tv_nsec - begin.tv_nsec) / 1000000;
		if (waited_ms >= most_ms)
			break;
		if (c->is_stream)
			wait_for(c, POLLOUT, (int)(most_ms - waited_ms));
		if (!write_some(c))
			return;
	}
	size = lseek(c->fd, 0, SEEK_CUR);
	if (!c->is_stream && tail != c->record_end && size >= (off_t)(tail - c->record_begin))
		(void)!ftruncate(c->fd, size - (off_t)(tail - c->record_begin));
}
