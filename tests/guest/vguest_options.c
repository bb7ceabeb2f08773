#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guest/vguest.h"

enum option_id {
	OPT_SOCKET = 256,
	OPT_SERVER,
	OPT_MAC,
	OPT_TO,
	OPT_IP,
	OPT_SEND,
	OPT_SIZE,
	OPT_RATE,
	OPT_STREAM,
	OPT_VLAN,
	OPT_EXPECT,
	OPT_EXACT,
	OPT_LINGER,
	OPT_TIMEOUT,
	OPT_ECHO,
	OPT_RECONNECT,
	OPT_INTERACTIVE,
	OPT_CHAIN,
	OPT_RX_CHAIN,
	OPT_RX_BUFFER,
	OPT_RING,
	OPT_REGIONS,
	OPT_GAP,
	OPT_ONE_FILE,
	OPT_HUGE,
	OPT_PAIRS,
	OPT_INDIRECT,
	OPT_EVENT_IDX,
	OPT_NO_MRG,
	OPT_LEGACY,
	OPT_SPLIT_HEADER,
	OPT_NO_ACK,
	OPT_FILL,
	OPT_HELP,
};

static const struct option options[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"server", no_argument, NULL, OPT_SERVER},
	{"mac", required_argument, NULL, OPT_MAC},
	{"to", required_argument, NULL, OPT_TO},
	{"ip", required_argument, NULL, OPT_IP},
	{"send", required_argument, NULL, OPT_SEND},
	{"size", required_argument, NULL, OPT_SIZE},
	{"rate", required_argument, NULL, OPT_RATE},
	{"stream", required_argument, NULL, OPT_STREAM},
	{"vlan", required_argument, NULL, OPT_VLAN},
	{"expect", required_argument, NULL, OPT_EXPECT},
	{"exact", no_argument, NULL, OPT_EXACT},
	{"linger", required_argument, NULL, OPT_LINGER},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"echo", no_argument, NULL, OPT_ECHO},
	{"reconnect", no_argument, NULL, OPT_RECONNECT},
	{"interactive", no_argument, NULL, OPT_INTERACTIVE},
	{"chain", required_argument, NULL, OPT_CHAIN},
	{"rx-chain", required_argument, NULL, OPT_RX_CHAIN},
	{"rx-buffer", required_argument, NULL, OPT_RX_BUFFER},
	{"ring", required_argument, NULL, OPT_RING},
	{"regions", required_argument, NULL, OPT_REGIONS},
	{"gap", no_argument, NULL, OPT_GAP},
	{"one-file", no_argument, NULL, OPT_ONE_FILE},
	{"huge", no_argument, NULL, OPT_HUGE},
	{"pairs", required_argument, NULL, OPT_PAIRS},
	{"indirect", no_argument, NULL, OPT_INDIRECT},
	{"event-idx", no_argument, NULL, OPT_EVENT_IDX},
	{"no-mrg", no_argument, NULL, OPT_NO_MRG},
	{"legacy", no_argument, NULL, OPT_LEGACY},
	{"split-header", no_argument, NULL, OPT_SPLIT_HEADER},
	{"no-ack", no_argument, NULL, OPT_NO_ACK},
	{"fill", required_argument, NULL, OPT_FILL},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static const char usage[] =
	"vguest --socket PATH [--server] --mac MAC [OPTION...]\n"
	"traffic:  --to MAC --send N --size BYTES|MIN-MAX --rate FPS --stream ID --vlan TCI\n"
	"          --expect N --exact --linger SECONDS --timeout SECONDS --echo --ip ADDRESS\n"
	"guest:    --ring N --regions N --gap --one-file --huge --pairs N --chain N --rx-chain N\n"
	"          --rx-buffer BYTES --indirect --event-idx --no-mrg --legacy --split-header\n"
	"          --no-ack --fill TEXT\n"
	"other:    --reconnect --interactive\n"
	"stdin of --interactive: send N MAC | expect N [SECONDS] | run SECONDS | counts | clear |\n"
	"          hangup | attach | stop | start | reboot | spoil | pairs N | quit\n";

static bool parse_option(int id, const char *arg, struct vguest_opts *o, bool *seen_mac);
static bool parse_traffic(int id, const char *arg, struct vguest_opts *o);
static bool parse_guest(int id, const char *arg, struct guest_conf *c);
static bool parse_number(const char *arg, uint64_t max, uint64_t *value_ret);
static bool parse_unsigned(const char *arg, uint64_t max, unsigned *value_ret);
static bool parse_seconds(const char *arg, double *value_ret);
static bool parse_size(const char *arg, struct vguest_opts *o);
static void settle(struct vguest_opts *o);

int vguest_options(int argc, char **argv, struct vguest_opts *o)
{
	bool seen_mac = false;
	int id;

	*o = (struct vguest_opts){.size_min = 64, .size_max = 64, .timeout_s = 10};
	memset(o->to, 0xff, sizeof(o->to));
	guest_conf_init(&o->guest, NULL);
	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (id == OPT_HELP) {
			fputs(usage, stdout);
			exit(0);
		}
		if (id == '?' || !parse_option(id, optarg, o, &seen_mac)) {
			if (id != '?')
				fprintf(stderr, "vguest: wrong value: %s\n", optarg);
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind != argc || !o->guest.socket || !seen_mac) {
		fputs(usage, stderr);
		return 2;
	}
	settle(o);
	return 0;
}

static bool parse_option(int id, const char *arg, struct vguest_opts *o, bool *seen_mac)
{
	switch (id) {
	case OPT_SOCKET:
		o->guest.socket = arg;
		return true;
	case OPT_MAC:
		*seen_mac = true;
		return tframe_parse_mac(arg, o->mac);
	case OPT_ECHO:
		o->echo = true;
		return true;
	case OPT_EXACT:
		o->exact = true;
		return true;
	case OPT_RECONNECT:
		o->reconnect = true;
		return true;
	case OPT_INTERACTIVE:
		o->interactive = true;
		return true;
	case OPT_FILL:
		o->fill = arg;
		return *arg != '\0';
	default:
		return parse_traffic(id, arg, o) || parse_guest(id, arg, &o->guest);
	}
}

static bool parse_traffic(int id, const char *arg, struct vguest_opts *o)
{
	uint64_t n;

	switch (id) {
	case OPT_TO:
		return tframe_parse_mac(arg, o->to);
	case OPT_IP:
		return inet_pton(AF_INET, arg, &o->ip) == 1;
	case OPT_SEND:
		return parse_number(arg, UINT32_MAX, &o->send);
	case OPT_EXPECT:
		return parse_number(arg, UINT64_MAX, &o->expect);
	case OPT_SIZE:
		return parse_size(arg, o);
	case OPT_RATE:
		return parse_seconds(arg, &o->rate);
	case OPT_STREAM:
		return parse_unsigned(arg, UINT32_MAX, &o->stream);
	case OPT_VLAN:
		if (!parse_number(arg, UINT16_MAX, &n))
			return false;
		o->vlan = (uint16_t)n;
		return true;
	case OPT_LINGER:
		return parse_seconds(arg, &o->linger_s);
	case OPT_TIMEOUT:
		return parse_seconds(arg, &o->timeout_s);
	default:
		return false;
	}
}

static bool parse_guest(int id, const char *arg, struct guest_conf *c)
{
	switch (id) {
	case OPT_CHAIN:
		return parse_unsigned(arg, GRING_MAX_CHAIN, &c->tx_chain);
	case OPT_RX_CHAIN:
		return parse_unsigned(arg, GRING_MAX_CHAIN, &c->rx_chain);
	case OPT_RX_BUFFER:
		return parse_unsigned(arg, GUEST_MAX_FRAME, &c->buffer_size);
	case OPT_RING:
		return parse_unsigned(arg, GRING_MAX_SIZE, &c->ring_size);
	case OPT_REGIONS:
		return parse_unsigned(arg, GUEST_MAX_REGIONS, &c->n_regions);
	case OPT_PAIRS:
		c->protocol_features |= GUEST_BIT(VUMSG_P_MQ);
		c->features |= GUEST_BIT(VIRTIO_NET_F_MQ);
		return parse_unsigned(arg, GUEST_MAX_PAIRS, &c->pairs);
	case OPT_SERVER:
		c->server = true;
		return true;
	case OPT_GAP:
		c->gap = true;
		return true;
	case OPT_ONE_FILE:
		c->one_file = true;
		return true;
	case OPT_HUGE:
		c->huge = true;
		return true;
	case OPT_INDIRECT:
		c->indirect = true;
		c->features |= GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC);
		return true;
	case OPT_EVENT_IDX:
		c->features |= GUEST_BIT(VIRTIO_RING_F_EVENT_IDX);
		return true;
	case OPT_NO_MRG:
		c->features &= ~GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF);
		return true;
	case OPT_LEGACY:
		c->features &= ~(GUEST_BIT(VIRTIO_F_VERSION_1) | GUEST_BIT(VIRTIO_F_ANY_LAYOUT));
		c->split_header = true;
		return true;
	case OPT_SPLIT_HEADER:
		c->split_header = true;
		return true;
	case OPT_NO_ACK:
		c->protocol_features &= ~GUEST_BIT(VUMSG_P_REPLY_ACK);
		return true;
	default:
		return false;
	}
}

// What follows from other options, whichever order they came in.
static void settle(struct vguest_opts *o)
{
	struct guest_conf *c = &o->guest;
	uint32_t frame = o->size_max + (uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf);

	if (c->send_size < frame)
		c->send_size = frame;
	// Without mergeable buffers a frame must fit one buffer.
	if (!(c->features & GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF)) && c->buffer_size < frame)
		c->buffer_size = frame;
	if (o->stream == 0)
		o->stream = (uint32_t)o->mac[2] << 24 | (uint32_t)o->mac[3] << 16 |
			    (uint32_t)o->mac[4] << 8 | o->mac[5];
}

static bool parse_number(const char *arg, uint64_t max, uint64_t *value_ret)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(arg, &end, 0);
	if (errno || end == arg || *end || *arg == '-' || n > max)
		return false;
	*value_ret = n;
	return true;
}

static bool parse_unsigned(const char *arg, uint64_t max, unsigned *value_ret)
{
	uint64_t n;

	if (!parse_number(arg, max, &n))
		return false;
	*value_ret = (unsigned)n;
	return true;
}

static bool parse_seconds(const char *arg, double *value_ret)
{
	char *end;
	double n = strtod(arg, &end);

	if (end == arg || *end || !(n >= 0 && n < 1e9))
		return false;
	*value_ret = n;
	return true;
}

static bool parse_size(const char *arg, struct vguest_opts *o)
{
	unsigned min, max;
	char rest;
	int n = sscanf(arg, "%u-%u%c", &min, &max, &rest);

	if (n == 1 && strspn(arg, "0123456789") == strlen(arg))
		max = min;
	else if (n != 2)
		return false;
	if (min < TFRAME_MIN + 4 || max < min || max > GUEST_MAX_FRAME - 16)
		return false;
	o->size_min = min;
	o->size_max = max;
	return true;
}
