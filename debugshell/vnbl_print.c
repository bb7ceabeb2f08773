#include "debugshell/vnbl_print.h"

#include <stdio.h>

#include <linux/virtio_net.h>

#include "debugshell/decode.h"

enum { HEX_COLUMNS = 16, HEX_LINES = VNBL_SAFE_MAX / HEX_COLUMNS };

#define VNBL_FLAGS(X)                                                                              \
	X(VNBL_DATA_SAFE, "DATA_SAFE")                                                             \
	X(VNBL_HAS_TAG, "HAS_TAG")                                                                 \
	X(VNBL_FLOOD, "FLOOD")                                                                     \
	X(VNBL_DROPPED, "DROPPED")                                                                 \
	X(VNBL_CAME_TAGGED, "CAME_TAGGED")

static void print_tag(unsigned tci, unsigned tpid);
static const char *gso_name(unsigned type);
static void print_header(const char *label, const struct text *text, void *arg);
static void add_label(const char *label, const struct text *text, void *arg);
static void print_hex(const uint8_t *bytes, uint32_t n);
static void print_hex_words(const uint8_t *bytes, uint32_t n);

struct text vnbl_print_flags(unsigned flags)
{
	struct text text = {.s = ""};
	unsigned named = 0;

#define X(flag, name)                                                                              \
	named |= (flag);                                                                           \
	if ((flags & (flag)) != 0)                                                                 \
		print_append(&text, "%s%s", text.s[0] != '\0' ? " " : "", name);
	VNBL_FLAGS(X)
#undef X
	if ((flags & ~named) != 0)
		print_append(&text, "%sand %02x", text.s[0] != '\0' ? " " : "", flags & ~named);
	return text.s[0] != '\0' ? text : print_text("[No flags set]", 14);
}

void vnbl_print_context(unsigned nic_index, unsigned flags, unsigned safe_size, unsigned frame_size)
{
	print_row("SourceNicIndex", "%u", nic_index);
	print_values("Flags", "number names", "%02x %s", flags, vnbl_print_flags(flags).s);
	print_flag("IsPacketDataSafe", (flags & VNBL_DATA_SAFE) != 0, NULL);
	print_values("SafePacketDataSize", "bytes frame_bytes", "%u of %u bytes", safe_size,
		     frame_size);
}

void vnbl_print_out_of_band(unsigned flags, unsigned tci, unsigned tpid,
			    const struct vnbl_offload *offload)
{
	unsigned gso = offload->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

	print_section("OUT OF BAND");
	if ((flags & VNBL_HAS_TAG) != 0)
		print_tag(tci, tpid);
	else
		print_row("VLAN", "[None]");
	if ((offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
		print_values("Checksum", "from at",
			     "to be made from byte %u on, to be put at byte %u",
			     offload->csum_start, offload->csum_start + offload->csum_offset);
	else
		print_row("Checksum", "%s",
			  (offload->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0
				  ? "found to be right by the sender"
				  : "complete");
	if (offload->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		print_values("Segmentation", "protocol - segment_bytes header_bytes",
			     "%s%s, %u bytes a segment, headers of %u bytes", gso_name(gso),
			     gso != offload->gso_type ? " with ECN" : "", offload->gso_size,
			     offload->hdr_len);
	else
		print_row("Segmentation", "[None]");
}

void vnbl_print_headers(struct shell *sh, const struct vnbl_bytes *bytes, bool hex)
{
	print_section("HEADERS");
	if (bytes->err != 0)
		print_row("Safe bytes", "[%s]", tgt_strerror(sh->target, bytes->err));
	else if (bytes->n == 0)
		print_none();
	else
		decode_frame(bytes->at, bytes->n, print_header, NULL);
	if (!hex || bytes->n == 0)
		return;
	print_section("SAFE BYTES");
	if (print_is_json())
		print_hex_words(bytes->at, bytes->n);
	else
		print_hex(bytes->at, bytes->n);
	if (bytes->n < bytes->safe_size)
		print_plain("    and %u more\n", bytes->safe_size - bytes->n);
}

void vnbl_print_labels(const struct vnbl_bytes *bytes)
{
	struct text labels = {.s = ""};

	if (bytes->n > 0) {
		decode_frame(bytes->at, bytes->n, add_label, &labels);
		print_cell(labels.s);
	} else {
		print_cell_absent(bytes->err == 0 ? "[None]" : "[Not there]");
	}
}

static void print_tag(unsigned tci, unsigned tpid)
{
	print_values("VLAN", "id priority - type", "%u, priority %u%s, type 0x%04x", tci & 0xfff,
		     tci >> 13, (tci & 0x1000) != 0 ? ", drop eligible" : "", tpid);
	print_extra_flag("vlan_drop_eligible", (tci & 0x1000) != 0);
}

static const char *gso_name(unsigned type)
{
	switch (type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return "TCP over IPv4";
	case VIRTIO_NET_HDR_GSO_UDP:
		return "UDP fragments";
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return "TCP over IPv6";
	default:
		return "?";
	}
}

static void print_header(const char *label, const struct text *text, void *arg)
{
	print_row(label, "%s", text->s);
}

static void add_label(const char *label, const struct text *text, void *arg)
{
	struct text *labels = arg;

	print_append(labels, "%s%s", labels->s[0] != '\0' ? " " : "", label);
}

static void print_hex(const uint8_t *bytes, uint32_t n)
{
	for (uint32_t at = 0; at < n; at += HEX_COLUMNS) {
		uint32_t left = n - at < HEX_COLUMNS ? n - at : HEX_COLUMNS;
		struct text line = {.s = ""};

		for (uint32_t i = 0; i < HEX_COLUMNS; i++)
			if (i < left)
				print_append(&line, "%02x%c", bytes[at + i],
					     i == 7 && left > 8 ? '-' : ' ');
			else
				print_append(&line, "   ");
		print_append(&line, " ");
		for (uint32_t i = 0; i < left; i++) {
			uint8_t c = bytes[at + i];

			print_append(&line, "%c", c >= 0x20 && c < 0x7f ? c : '.');
		}
		print_plain("    %04x  %s\n", at, line.s);
	}
}

static void print_hex_words(const uint8_t *bytes, uint32_t n)
{
	char lines[HEX_LINES][2 * HEX_COLUMNS + 1];
	const char *words[HEX_LINES];
	uint32_t n_lines = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t column = i % HEX_COLUMNS;

		if (column == 0) {
			words[n_lines] = lines[n_lines];
			n_lines++;
		}
		snprintf(lines[n_lines - 1] + 2 * column, 3, "%02x", bytes[i]);
	}
	print_words("Hex", words, n_lines);
}
