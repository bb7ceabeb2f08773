#include "ports/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ports/vnbl.h"
#include "ports/vport.h"

enum { NS_PER_S = 1000000000 };

static FILE *open_file(const char *path, struct errtext *e);
static bool read_next(struct replay *r, int64_t now_ns);

int replay_open(const char *path, struct replay **ret, struct errtext *e)
{
	char words[PCAP_ERRBUF_SIZE] = "";
	struct replay *r;
	FILE *f = open_file(path, e);
	long at;
	int rc;

	if (f == NULL)
		return -errno;
	r = aligned_alloc(64, sizeof(*r));
	if (r == NULL) {
		fclose(f);
		return errtext_set(e, -ENOMEM, "not enough memory to replay '%s'", path);
	}
	// The arena is not touched here.
	memset(r, 0, offsetof(struct replay, arena));
	r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (r->timer_fd < 0) {
		rc = -errno;
		errtext_set(e, rc, "cannot make a timer: %s", strerror(-rc));
		goto close_file;
	}
	r->file = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, words);
	if (r->file == NULL) {
		at = ftell(f);
		rc = errtext_set(e, -EBADMSG, "'%s' is no capture file: %s (byte %ld)", path, words,
				 at);
		goto close_timer;
	}
	if (pcap_datalink(r->file) != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(pcap_datalink(r->file));

		rc = errtext_set(e, -EMEDIUMTYPE,
				 "'%s' holds frames of type %s (%d); only Ethernet can be replayed",
				 path, name != NULL ? name : "?", pcap_datalink(r->file));
		f = NULL; // pcap_close() closes it
		goto close_pcap;
	}
	*ret = r;
	return 0;
close_pcap:
	pcap_close(r->file);
close_timer:
	close(r->timer_fd);
close_file:
	if (f != NULL)
		fclose(f);
	free(r);
	return rc;
}

void replay_close(struct replay *r)
{
	if (r == NULL)
		return;
	pcap_close(r->file);
	close(r->timer_fd);
	free(r);
}

bool replay_rx(struct replay *r, int64_t now_ns, struct vnbl_burst *burst, struct vport_stats *st)
{
	uint8_t *to = r->arena + VNBL_HEADROOM;

	if (atomic_load_explicit(&r->is_over, memory_order_relaxed))
		return false;
	for (unsigned i = 0; i < VNBL_BURST_MAX && burst->bytes < VNBL_BURST_BYTES; i++) {
		struct vnbl *v = &burst->frames[burst->n];

		if (!r->is_waiting && !read_next(r, now_ns)) {
			atomic_store_explicit(&r->is_over, 1, memory_order_release);
			return true;
		}
		if (r->due_ns > now_ns)
			return false;
		r->is_waiting = false;
		if (r->waiting_size == 0 || r->waiting_size > VNBL_FRAME_MAX) {
			vport_count_drop(st, DROP_IN, DROP_InvalidPacket, 1);
			continue;
		}
		vnbl_reset(v);
		memcpy(to, r->waiting_data, r->waiting_size);
		v->flags = VNBL_DATA_SAFE;
		v->hdr = to;
		v->frame_size = r->waiting_size;
		v->safe_size =
			r->waiting_size < UINT16_MAX ? (uint16_t)r->waiting_size : UINT16_MAX;
		if (v->safe_size < v->frame_size)
			v->pieces[v->n_pieces++] = (struct vnbl_piece){
				.addr = to + v->safe_size, .len = v->frame_size - v->safe_size};
		to += (v->frame_size + VNBL_HEADROOM + 63) & ~63U;
		burst->n++;
		burst->bytes += v->frame_size;
		r->frames++;
	}
	return false;
}

int replay_arm(struct replay *r, int64_t now_ns)
{
	struct itimerspec when = {0};

	if (atomic_load_explicit(&r->is_over, memory_order_relaxed))
		return -ENOLINK;
	if (!r->is_waiting || r->due_ns <= now_ns)
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

// Reads a frame and finds out when it is due. False: there is none any more.
static bool read_next(struct replay *r, int64_t now_ns)
{
	struct pcap_pkthdr *h;
	int64_t stamp_ns;
	int rc = pcap_next_ex(r->file, &h, &r->waiting_data);

	if (rc != 1) {
		if (rc == PCAP_ERROR_BREAK)
			snprintf(r->why, sizeof(r->why), "replay finished");
		else
			snprintf(r->why, sizeof(r->why), "replay stopped at byte %ld: %.200s",
				 ftell(pcap_file(r->file)), pcap_geterr(r->file));
		return false;
	}
	// With this precision, tv_usec holds nanoseconds.
	stamp_ns = (int64_t)h->ts.tv_sec * NS_PER_S + h->ts.tv_usec;
	if (r->start_ns == 0) {
		r->start_ns = now_ns;
		r->first_ns = stamp_ns;
	}
	// A stamp that goes back counts as no gap: the sum would be in the past.
	if (__builtin_sub_overflow(stamp_ns, r->first_ns, &r->due_ns) ||
	    __builtin_add_overflow(r->due_ns, r->start_ns, &r->due_ns) || r->due_ns < 0)
		r->due_ns = now_ns;
	r->waiting_size = h->caplen;
	r->is_waiting = true;
	return true;
}
