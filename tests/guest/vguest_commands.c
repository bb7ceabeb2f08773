/*
 * Commands of vguest --interactive, one a line, each answered by one line of JSON.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/vguest.h"

#define LINE_SIZE   256u
#define SPOILT_HEAD 0xdeadu // no ring that GRING_MAX_SIZE allows has it

static int next_line(struct vguest *v, char line[LINE_SIZE]);
static bool run_command(struct vguest *v, const char *line);
static int run_vmm_command(struct vguest *v, const char *word);
static void spoil(struct vguest *v);
static void clear(struct vguest *v);

int vguest_interactive(struct vguest *v)
{
	char line[LINE_SIZE];
	bool ok = true;

	while (next_line(v, line) == 0) {
		if (strcmp(line, "quit") == 0)
			break;
		if (!run_command(v, line))
			ok = false;
	}
	vguest_print(v);
	return ok && vguest_clean(v) ? 0 : 1;
}

// The guest goes on receiving (and echoing) while it waits for the next command.
static int next_line(struct vguest *v, char line[LINE_SIZE])
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	size_t n = 0;

	for (;;) {
		char c;
		if (poll(&p, 1, 0) == 0) {
			if (v->g->sock < 0 || vguest_round(v) < 0)
				poll(&p, 1, 20);
			continue;
		}
		if (read(STDIN_FILENO, &c, 1) != 1)
			return -EPIPE;
		if (c == '\n') {
			line[n] = '\0';
			return 0;
		}
		if (n + 1 < LINE_SIZE)
			line[n++] = c;
	}
}

static bool run_command(struct vguest *v, const char *line)
{
	unsigned long n;
	double seconds = v->opts.timeout_s;
	char text[32];
	uint8_t mac[6];
	bool ok = true;

	if (sscanf(line, "send %lu %31s", &n, text) == 2 && tframe_parse_mac(text, mac)) {
		vguest_begin(v, n, mac);
		ok = vguest_run(v, 0, v->opts.timeout_s);
	} else if (sscanf(line, "expect %lu %lf", &n, &seconds) >= 1) {
		ok = vguest_run(v, n, seconds);
	} else if (sscanf(line, "run %lf", &seconds) == 1) {
		vguest_linger(v, seconds);
	} else if (sscanf(line, "pairs %lu", &n) == 1) {
		ok = vguest_set_pairs(v, (unsigned)n) == 0;
	} else if (strcmp(line, "clear") == 0) {
		clear(v);
	} else if (strcmp(line, "spoil") == 0) {
		spoil(v);
	} else if (strcmp(line, "counts") != 0) {
		int ret = run_vmm_command(v, line);
		if (ret < 0) {
			printf("{\"error\":\"%s: %s\"}\n", line, strerror(-ret));
			fflush(stdout);
			return false;
		}
	}
	if (!ok) {
		printf("{\"error\":\"%s: not done in time\"}\n", line);
		fflush(stdout);
		return false;
	}
	vguest_print(v);
	return true;
}

static int run_vmm_command(struct vguest *v, const char *word)
{
	int ret;

	if (strcmp(word, "hangup") == 0) {
		guest_hangup(v->g);
		return 0;
	}
	if (strcmp(word, "attach") == 0) {
		ret = guest_attach(v->g, (int)(v->opts.timeout_s * 1000));
		v->attached += ret == 0;
		return ret;
	}
	if (strcmp(word, "stop") == 0)
		return guest_stop(v->g);
	if (strcmp(word, "start") == 0)
		return guest_start(v->g);
	if (strcmp(word, "reboot") == 0) {
		ret = guest_stop(v->g);
		if (ret == 0)
			ret = guest_reset(v->g);
		return ret < 0 ? ret : guest_start(v->g);
	}
	return -EINVAL;
}

// What a driver with a bug does: one of the buffers that it has given to receive into has a
// number that the ring does not have. The switch comes to it half a ring later.
static void spoil(struct vguest *v)
{
	struct gring *r = &v->g->queues[0].ring;

	r->avail->ring[(r->avail_idx + r->size / 2) & (r->size - 1)] = SPOILT_HEAD;
}

static void clear(struct vguest *v)
{
	v->sent = v->received = v->good = v->foreign = v->damaged = 0;
	v->not_mine = v->echoed = 0;
	v->n_streams = 0;
	memset(v->streams, 0, sizeof(v->streams));
	memset(v->by_pair, 0, sizeof(v->by_pair));
}
