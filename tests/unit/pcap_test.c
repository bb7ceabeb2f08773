// Replay and capture, with files and pipes made here.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pcap/pcap.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "ports/nethdr.h"
#include "ports/pcap_types.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/nics.h"
#include "tests/unit/plain.h"

enum { GAP_MS = 60 };

static struct plain_frame frame, got;
static struct vnbl_burst burst;
static struct vport_stats st;
static char dir[] = "/tmp/pcap_test.XXXXXX";
static char in_path[64], out_path[64], other_path[64];

static struct vnic *make(const char *rx, const char *tx, int fd)
{
	const struct vnic_conf conf = {.kind = VNIC_PCAP,
				       .name = "cap",
				       .pcap_rx = rx,
				       .pcap_tx = tx,
				       .pcap_fd = fd,
				       .queues = 1,
				       .mtu = 1500};
	struct vnic *nic;

	memset(&st, 0, sizeof(st));
	assert_int_equal(vnic_create(&conf, &nic, NULL), 0);
	return nic;
}

static struct vnic *make_started(const char *rx, const char *tx, int fd)
{
	struct vnic *nic = make(rx, tx, fd);
	struct errtext e = {.text = ""};

	if (vnic_start(nic, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	return nic;
}

static void start_fails(const char *rx, const char *tx, int err, const char *words)
{
	struct vnic *nic = make(rx, tx, -1);
	struct errtext e = {.text = ""};

	assert_int_equal(vnic_start(nic, &e), err);
	if (strstr(e.text, words) == NULL)
		fail_msg("'%s' is not in: %s", words, e.text);
	vnic_destroy(nic, true);
}

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void make_frame(struct plain_frame *f, unsigned i)
{
	static const struct plain_kind kinds[] = {{0}, {.is_udp = true}, {.is_ipv6 = true}};

	plain_make(f, &kinds[i % 3], 20 + i * 7 % 1400, i);
}

// A capture of n frames, gap_ms apart, made by libpcap itself.
static void make_capture(const char *path, int linktype, unsigned n, unsigned gap_ms)
{
	pcap_t *p = pcap_open_dead(linktype, 65535);
	pcap_dumper_t *d = pcap_dump_open(p, path);

	assert_non_null(d);
	for (unsigned i = 0; i < n; i++) {
		unsigned ms = i * gap_ms;
		struct pcap_pkthdr h = {
			.ts = {.tv_sec = 1000 + ms / 1000, .tv_usec = ms % 1000 * 1000}};

		make_frame(&frame, i);
		h.caplen = h.len = frame.size;
		pcap_dump((u_char *)d, &h, frame.data);
	}
	pcap_dump_close(d);
	pcap_close(p);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// Receives as a sleeping proc does, to the end. Returns how many frames came.
static unsigned replay_all(struct vnic *nic, unsigned *sleeps)
{
	unsigned seen = 0;

	for (;;) {
		struct pollfd p = {.events = POLLIN};

		vnic_rx(nic, 0, &burst, &st);
		for (unsigned f = 0; f < burst.n; f++, seen++) {
			const struct vnbl *v = &burst.frames[f];

			make_frame(&frame, seen);
			assert_int_equal(v->frame_size, frame.size);
			assert_memory_equal(v->hdr, frame.data, frame.size);
			memset(v->hdr - VNBL_HEADROOM, 0xaa, VNBL_HEADROOM);
		}
		if (burst.n > 0)
			vnic_rx_done(nic, 0, &burst);
		p.fd = vnic_rx_arm(nic, 0);
		if (p.fd == -ENOLINK)
			return seen;
		if (p.fd == -EAGAIN)
			continue;
		assert_true(p.fd >= 0);
		assert_int_equal(poll(&p, 1, NICS_WAIT_MS), 1);
		vnic_rx_disarm(nic, 0);
		++*sleeps;
	}
}

static void a_replay_keeps_the_gaps(void **state)
{
	unsigned sleeps = 0;
	struct vnic *nic;
	int64_t begin;

	make_capture(in_path, DLT_EN10MB, 6, GAP_MS);
	nic = make_started(in_path, NULL, -1);
	begin = now_ms();
	assert_int_equal(replay_all(nic, &sleeps), 6);
	assert_true(now_ms() - begin >= 5 * GAP_MS);
	assert_int_equal(sleeps, 5);
	vnic_take_events(nic);
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_string_equal(nic->why, "replay finished");
	vnic_tick(nic);
	assert_int_equal(vnic_rx_arm(nic, 0), -ENOLINK);
	vnic_destroy(nic, true);
}

static void a_fast_replay_fills_bursts(void **state)
{
	unsigned sleeps = 0;
	struct vnic *nic;

	make_capture(in_path, DLT_EN10MB, 257, 0);
	nic = make_started(in_path, NULL, -1);
	vnic_rx(nic, 0, &burst, &st);
	assert_int_equal(burst.n, VNBL_BURST_MAX);
	vnic_rx_done(nic, 0, &burst);
	vnic_destroy(nic, true);
	nic = make_started(in_path, NULL, -1);
	assert_int_equal(replay_all(nic, &sleeps), 257);
	vnic_destroy(nic, true);
}

// Much more than the ring holds, taken faster than it can be read, and slower.
static void a_long_replay_is_read_on_the_way(void **state)
{
	enum { FRAMES = 20000 };
	unsigned sleeps = 0;
	struct vnic *nic;
	struct replay *r;

	make_capture(in_path, DLT_EN10MB, FRAMES, 0);
	nic = make_started(in_path, NULL, -1);
	assert_int_equal(replay_all(nic, &sleeps), FRAMES);
	vnic_take_events(nic);
	assert_string_equal(nic->why, "replay finished");
	vnic_destroy(nic, true);

	nic = make_started(in_path, NULL, -1);
	r = ((struct pcap_nic *)nic)->replay;
	// The thread fills the ring and sleeps, not the proc.
	for (unsigned i = 0; i < NICS_WAIT_MS && !atomic_load(&r->is_sleeping); i++)
		usleep(1000);
	assert_true(atomic_load(&r->is_sleeping));
	assert_true(atomic_load(&r->head) <= REPLAY_RING_SIZE);
	assert_int_equal(replay_all(nic, &sleeps), FRAMES);
	vnic_destroy(nic, true);

	// And one that ends long before its file does.
	nic = make_started(in_path, NULL, -1);
	vnic_rx(nic, 0, &burst, &st);
	assert_int_equal(burst.n, VNBL_BURST_MAX);
	vnic_rx_done(nic, 0, &burst);
	vnic_destroy(nic, true);
}

/*
 * The disk hangs: who holds the lock of the stream keeps the thread waiting. The proc sleeps once
 * the ring is empty, and the first frame that comes wakes it; ending the port waits for nothing.
 */
static void a_hanging_disk_keeps_nobody_waiting(void **state)
{
	enum { FRAMES = 5000 };
	struct pollfd p = {.events = POLLIN};
	unsigned sleeps = 0, seen = 0;
	struct vnic *nic;
	struct replay *r;
	int64_t begin;
	FILE *file;

	make_capture(in_path, DLT_EN10MB, FRAMES, 0);
	nic = make_started(in_path, NULL, -1);
	r = ((struct pcap_nic *)nic)->replay;
	file = pcap_file(r->file);
	flockfile(file);
	do {
		vnic_rx_disarm(nic, 0);
		vnic_rx(nic, 0, &burst, &st);
		seen += burst.n;
		if (burst.n > 0)
			vnic_rx_done(nic, 0, &burst);
		p.fd = vnic_rx_arm(nic, 0);
		// The thread may have one frame yet that found no room before.
	} while (p.fd == -EAGAIN || (p.fd >= 0 && poll(&p, 1, 100) != 0));
	assert_true(p.fd >= 0 && seen >= VNBL_BURST_MAX && seen < FRAMES);
	funlockfile(file);
	assert_int_equal(poll(&p, 1, NICS_WAIT_MS), 1);
	vnic_rx_disarm(nic, 0);
	vnic_rx(nic, 0, &burst, &st);
	assert_true(burst.n > 0);
	make_frame(&frame, seen);
	assert_int_equal(burst.frames[0].frame_size, frame.size);
	assert_memory_equal(burst.frames[0].hdr, frame.data, frame.size);
	vnic_rx_done(nic, 0, &burst);
	vnic_destroy(nic, true);

	nic = make_started(in_path, NULL, -1);
	r = ((struct pcap_nic *)nic)->replay;
	file = pcap_file(r->file);
	flockfile(file);
	begin = now_ms();
	vnic_destroy(nic, true);
	assert_true(now_ms() - begin < 1000);
	// The thread, which ends now, closes it.
	funlockfile(file);
	// Somebody else's replay is not disturbed by that.
	nic = make_started(in_path, NULL, -1);
	assert_int_equal(replay_all(nic, &sleeps), FRAMES);
	vnic_destroy(nic, true);
}

static void bad_captures_are_explained(void **state)
{
	struct errtext e = {.text = ""};
	const struct vnic_conf none = {.kind = VNIC_PCAP, .name = "p", .queues = 1, .mtu = 1500},
			       relative = {.kind = VNIC_PCAP,
					   .name = "p",
					   .queues = 1,
					   .mtu = 1500,
					   .pcap_rx = "a.pcap"};
	struct vnic *nic;
	unsigned sleeps = 0;

	assert_int_equal(vnic_create(&none, &nic, &e), -EINVAL);
	assert_int_equal(vnic_create(&relative, &nic, &e), -EINVAL);
	start_fails("/nonexistent", NULL, -ENOENT, "cannot open '/nonexistent'");
	start_fails("/dev/null", NULL, -EINVAL, "no regular file");
	write_file(in_path, "hello, world, this is no capture", 32);
	start_fails(in_path, NULL, -EBADMSG, "is no capture file");
	write_file(in_path, "\xd4\xc3\xb2\xa1\x02\x00", 6);
	start_fails(in_path, NULL, -EBADMSG, "byte 6");
	make_capture(in_path, DLT_RAW, 1, 0);
	start_fails(in_path, NULL, -EMEDIUMTYPE, "only Ethernet");
	assert_int_equal(symlink(in_path, other_path), 0);
	start_fails(other_path, NULL, -ELOOP, "symbolic link");
	unlink(other_path);

	// The end is missing: what is there is replayed, then the place is told.
	make_capture(in_path, DLT_EN10MB, 3, 0);
	assert_int_equal(truncate(in_path, 24 + 3 * 16 + 200), 0);
	nic = make_started(in_path, NULL, -1);
	assert_int_equal(replay_all(nic, &sleeps), 2);
	vnic_take_events(nic);
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_non_null(strstr(nic->why, "replay stopped at byte 272"));
	vnic_destroy(nic, true);
}

static void as_guest(struct vnbl *v, const struct plain_frame *f, uint16_t gso_size)
{
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .csum_start = (uint16_t)f->l4,
				   .csum_offset = f->is_udp ? 6 : 16};

	if (gso_size > 0) {
		h.gso_type = f->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = gso_size;
	}
	vnbl_reset(v);
	v->safe_size = f->size < 128 ? (uint16_t)f->size : 128;
	memcpy(v->hdr, f->data, v->safe_size);
	v->frame_size = f->size;
	if (f->size > 128)
		v->pieces[v->n_pieces++] = (struct vnbl_piece){
			.addr = (uint8_t *)(uintptr_t)f->data + 128, .len = f->size - 128};
	assert_int_equal(nethdr_read(v, &h, false), 0);
}

static void send_frame(struct vnic *nic, const struct plain_frame *f, uint16_t gso_size)
{
	static struct vnbl v;
	struct vnbl *frames[1] = {&v};
	struct vnbl_offload before;

	as_guest(&v, f, gso_size);
	before = v.offload;
	vnic_tx(nic, 0, frames, 1, &st, 0);
	// The frame is the others', too.
	assert_memory_equal(&v.offload, &before, sizeof(before));
	assert_memory_equal(v.hdr, f->data, v.safe_size);
}

// Reads a whole capture with libpcap; frames must be make_frame()'s, complete.
static unsigned read_capture(const char *path)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, err);
	struct pcap_pkthdr *h;
	const u_char *data;
	struct timespec ts;
	unsigned n = 0;
	int rc;

	if (p == NULL)
		fail_msg("%s", err);
	clock_gettime(CLOCK_REALTIME, &ts);
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	while ((rc = pcap_next_ex(p, &h, &data)) == 1) {
		make_frame(&got, n);
		assert_int_equal(h->caplen, h->len);
		assert_int_equal(h->len, got.size);
		memcpy(got.data, data, got.size);
		assert_true(plain_is_complete(&got));
		assert_true(h->ts.tv_sec <= ts.tv_sec && h->ts.tv_sec > ts.tv_sec - 100);
		n++;
	}
	assert_int_equal(rc, PCAP_ERROR_BREAK);
	pcap_close(p);
	return n;
}

static void a_capture_holds_complete_frames(void **state)
{
	struct vnic *nic = make_started(NULL, out_path, -1);
	struct stat sb;

	for (unsigned i = 0; i < 1000; i++) {
		make_frame(&frame, i);
		send_frame(nic, &frame, 0);
	}
	assert_int_equal(st.tx_frames, 1000);
	vnic_destroy(nic, true);
	assert_int_equal(read_capture(out_path), 1000);
	// Written again it begins anew.
	nic = make_started(NULL, out_path, -1);
	vnic_destroy(nic, true);
	assert_int_equal(stat(out_path, &sb), 0);
	assert_int_equal(sb.st_size, 24);
}

// 64 KB frames, over the ring's end many times, each with a checksum of the whole.
static void gso_frames_are_captured_whole(void **state)
{
	static const struct plain_kind kinds[] = {{.tcp_options = 12}, {.is_ipv6 = true}};
	struct vnic *nic = make_started(NULL, out_path, -1);
	char err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const u_char *data;
	unsigned n = 0;
	pcap_t *p;

	for (unsigned i = 0; i < 300; i++) {
		plain_make(&frame, &kinds[i % 2], 60000 + i, i);
		do {
			uint64_t drops = st.drops[DROP_OUT][DROP_Resources];

			send_frame(nic, &frame, 1448);
			if (st.drops[DROP_OUT][DROP_Resources] == drops)
				break;
			usleep(1000);
		} while (true);
	}
	vnic_destroy(nic, true);
	p = pcap_open_offline(out_path, err);
	assert_non_null(p);
	while (pcap_next_ex(p, &h, &data) == 1) {
		plain_make(&got, &kinds[n % 2], 60000 + n, n);
		assert_int_equal(h->caplen, got.size);
		memcpy(got.data, data, got.size);
		assert_true(plain_is_complete(&got));
		n++;
	}
	assert_int_equal(n, 300);
	pcap_close(p);
}

static void files_of_others_are_left_alone(void **state)
{
	struct vnic *nic;
	struct stat sb;

	write_file(out_path, "dear diary", 10);
	start_fails(NULL, out_path, -EEXIST, "is no capture file; it is left");
	assert_int_equal(stat(out_path, &sb), 0);
	assert_int_equal(sb.st_size, 10);
	unlink(out_path);
	assert_int_equal(symlink("/tmp/elsewhere", out_path), 0);
	start_fails(NULL, out_path, -ELOOP, "symbolic link");
	assert_int_equal(access("/tmp/elsewhere", F_OK), -1);
	unlink(out_path);
	start_fails(NULL, "/dev/null", -EINVAL, "neither a file nor a FIFO");
	make_capture(in_path, DLT_EN10MB, 1, 0);
	start_fails(in_path, in_path, -EINVAL, "replayed and captured to at once");
	start_fails(NULL, "-", -EPIPE, "has gone");

	// Empty ones and captures are fine.
	write_file(out_path, "", 0);
	nic = make_started(NULL, out_path, -1);
	vnic_destroy(nic, true);
	nic = make_started(NULL, in_path, -1);
	vnic_destroy(nic, true);
}

static void read_exactly(int fd, void *to, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (size_t at = 0; at < size;) {
		ssize_t n;

		assert_int_equal(poll(&p, 1, NICS_WAIT_MS), 1);
		n = read(fd, (char *)to + at, size - at);
		assert_true(n > 0);
		at += (size_t)n;
	}
}

static void a_pipe_shows_frames_at_once_until_its_reader_goes(void **state)
{
	uint8_t header[24], record[16];
	struct vnic *nic;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	nic = make_started(NULL, "-", dup(fds[1]));
	// The caller's end is not made non-blocking for it.
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[1]);
	read_exactly(fds[0], header, sizeof(header));
	for (unsigned i = 0; i < 3; i++) {
		make_frame(&frame, i);
		send_frame(nic, &frame, 0);
		read_exactly(fds[0], record, sizeof(record));
		read_exactly(fds[0], got.data, frame.size);
	}
	// Nothing is sent, and still it is seen that nobody reads.
	close(fds[0]);
	for (unsigned i = 0; i < NICS_WAIT_MS && nic->state == VNIC_STATE_CONNECTED; i++) {
		usleep(1000);
		vnic_take_events(nic);
	}
	assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	assert_non_null(strstr(nic->why, "reader of the capture has gone"));
	make_frame(&frame, 0);
	send_frame(nic, &frame, 0);
	assert_int_equal(st.drops[DROP_OUT][DROP_Disconnected], 1);
	vnic_tick(nic);
	assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	vnic_destroy(nic, true);
}

// Whole records are lost and counted; those that arrive are in order and undamaged.
static void a_slow_reader_loses_whole_frames(void **state)
{
	static const struct plain_kind kind = {.is_udp = true};
	struct vnic *nic;
	uint32_t size, last = 0;
	uint8_t record[24];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	nic = make_started(NULL, "-", fds[1]);
	for (uint32_t i = 1; i <= 10000; i++) {
		plain_make(&frame, &kind, 500 + i % 900, i);
		memcpy(frame.data + frame.payload, &i, 4);
		send_frame(nic, &frame, 0);
	}
	assert_true(st.drops[DROP_OUT][DROP_Resources] > 0);
	assert_int_equal(st.tx_frames + st.drops[DROP_OUT][DROP_Resources], 10000);
	read_exactly(fds[0], record, 24);
	for (uint64_t seen = 0; seen < st.tx_frames; seen++) {
		uint32_t i;

		read_exactly(fds[0], record, 16);
		memcpy(&size, record + 8, 4);
		assert_true(size <= sizeof(got.data));
		read_exactly(fds[0], got.data, size);
		memcpy(&i, got.data + frame.payload, 4);
		assert_true(i > last && i <= 10000);
		last = i;
		plain_make(&frame, &kind, 500 + i % 900, i);
		assert_int_equal(size, frame.size);
		// The sequence number's bytes are part of the checksum.
		got.size = size;
		got.l3 = frame.l3;
		got.l4 = frame.l4;
		got.is_udp = true;
		got.is_ipv6 = false;
		assert_true(plain_is_complete(&got));
	}
	vnic_destroy(nic, true);
	close(fds[0]);
}

static void nobody_waits_for_a_stuck_reader(void **state)
{
	struct vnic *nic;
	int64_t begin;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	nic = make_started(NULL, "-", fds[1]);
	for (unsigned i = 0; i < 1000; i++) {
		make_frame(&frame, i);
		send_frame(nic, &frame, 0);
	}
	begin = now_ms();
	vnic_destroy(nic, true);
	assert_true(now_ms() - begin < 900);
	close(fds[0]);
}

static void a_fifo_waits_for_its_reader(void **state)
{
	uint8_t header[24];
	struct vnic *nic;
	int fd;

	unlink(other_path);
	assert_int_equal(mkfifo(other_path, 0600), 0);
	start_fails(NULL, other_path, -ENXIO, "nobody reads from it");
	nic = make(NULL, other_path, -1);
	assert_true(vnic_start(nic, NULL) < 0);
	for (unsigned round = 0; round < 2; round++) {
		fd = open(other_path, O_RDONLY | O_NONBLOCK);
		vnic_tick(nic);
		assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
		read_exactly(fd, header, sizeof(header));
		close(fd);
		for (unsigned i = 0; i < NICS_WAIT_MS && nic->state == VNIC_STATE_CONNECTED; i++) {
			usleep(1000);
			vnic_take_events(nic);
		}
		assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	}
	vnic_destroy(nic, true);
	unlink(other_path);
}

// A full disk: frames are dropped while it lasts, and the file is sound afterwards.
static void a_full_disk_is_survived(void **state)
{
	char mount[64], path[80], command[256];
	struct vnic *nic;
	uint64_t sent;

	snprintf(mount, sizeof(mount), "%s/disk", dir);
	snprintf(path, sizeof(path), "%s/full.pcap", mount);
	mkdir(mount, 0700);
	snprintf(command, sizeof(command), "mount -t tmpfs -o size=1m none %s", mount);
	nics_run(command);
	nic = make_started(NULL, path, -1);
	// 1 MB goes to the disk and 4 MB wait; then a frame is dropped.
	for (unsigned i = 0; i < 20000 && st.drops[DROP_OUT][DROP_Resources] == 0; i++) {
		make_frame(&frame, i);
		send_frame(nic, &frame, 0);
	}
	for (unsigned i = 0; i < NICS_WAIT_MS && nic->why[0] == '\0'; i++) {
		usleep(1000);
		vnic_take_events(nic);
	}
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_non_null(strstr(nic->why, "No space left"));
	assert_true(st.drops[DROP_OUT][DROP_Resources] > 0);
	sent = st.tx_frames;
	snprintf(command, sizeof(command), "mount -o remount,size=64m %s", mount);
	nics_run(command);
	for (unsigned i = 0; i < NICS_WAIT_MS && nic->why[0] != '\0'; i++) {
		usleep(1000);
		vnic_take_events(nic);
	}
	assert_string_equal(nic->why, "");
	vnic_destroy(nic, true);
	assert_int_equal(read_capture(path), sent);

	// And one that stays full to the end holds whole records all the same.
	snprintf(command, sizeof(command), "umount %s && mount -t tmpfs -o size=1m none %s", mount,
		 mount);
	nics_run(command);
	nic = make_started(NULL, path, -1);
	for (unsigned i = 0; i < 3000; i++) {
		make_frame(&frame, i);
		send_frame(nic, &frame, 0);
	}
	vnic_destroy(nic, true);
	assert_true(read_capture(path) > 1000);
	snprintf(command, sizeof(command), "umount %s && rmdir %s", mount, mount);
	nics_run(command);
}

static int cleanup(void **state)
{
	unlink(in_path);
	unlink(out_path);
	unlink(other_path);
	rmdir(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_replay_keeps_the_gaps),
		cmocka_unit_test(a_fast_replay_fills_bursts),
		cmocka_unit_test(a_long_replay_is_read_on_the_way),
		cmocka_unit_test(a_hanging_disk_keeps_nobody_waiting),
		cmocka_unit_test(bad_captures_are_explained),
		cmocka_unit_test(a_capture_holds_complete_frames),
		cmocka_unit_test(gso_frames_are_captured_whole),
		cmocka_unit_test(files_of_others_are_left_alone),
		cmocka_unit_test(a_pipe_shows_frames_at_once_until_its_reader_goes),
		cmocka_unit_test(a_slow_reader_loses_whole_frames),
		cmocka_unit_test(nobody_waits_for_a_stuck_reader),
		cmocka_unit_test(a_fifo_waits_for_its_reader),
		cmocka_unit_test(a_full_disk_is_survived),
	};

	if (!nics_init() || unshare(CLONE_NEWNS) < 0) {
		fprintf(stderr, "skipped: no right to make namespaces\n");
		return NICS_SKIP;
	}
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(in_path, sizeof(in_path), "%s/in.pcap", dir);
	snprintf(out_path, sizeof(out_path), "%s/out.pcap", dir);
	snprintf(other_path, sizeof(other_path), "%s/other", dir);
	nics_run("mount --make-rprivate /");
	return cmocka_run_group_tests(tests, NULL, cleanup);
}
