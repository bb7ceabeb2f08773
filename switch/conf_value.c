#include "switch/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switch/vlan.h"

enum { NEAREST_MAX = 64 };

static bool read_ranges(const char *text, uint32_t min, uint32_t max,
			void (*add)(void *set, uint32_t number), void *set);
static void add_id(void *set, uint32_t number);
static void add_vlan(void *set, uint32_t number);
static bool utf8_next(const unsigned char **p, uint32_t *ret);
static bool read_pci(const char *text, unsigned ret[4]);
static unsigned edit_distance(const char *a, const char *b);

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int conf_value_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret,
		      struct errtext *e)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && value <= UINT32_MAX; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	if (p == text || *p != '\0' || value < min || value > max)
		return errtext_set(e, -EINVAL, "'%.40s' is not a number from %u to %u", text, min,
				   max);
	*ret = (uint32_t)value;
	return 0;
}

int conf_value_hex(const char *text, uint64_t *ret, struct errtext *e)
{
	uint64_t value = 0;
	size_t size = strlen(text);

	if (size < 3 || size > 18 || text[0] != '0' || text[1] != 'x')
		goto wrong;
	for (const char *p = text + 2; *p != '\0'; p++) {
		if (hex_digit(*p) < 0)
			goto wrong;
		value = value << 4 | (uint64_t)hex_digit(*p);
	}
	*ret = value;
	return 0;
wrong:
	return errtext_set(e, -EINVAL, "'%.40s' is not 0x and 1 to 16 hex digits", text);
}

int conf_value_on_off(const char *text, bool *ret, struct errtext *e)
{
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		return errtext_set(e, -EINVAL, "'%.40s' is neither 'on' nor 'off'", text);
	*ret = text[1] == 'n';
	return 0;
}

int conf_value_mac(const char *text, uint8_t ret[6], struct errtext *e)
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (conf_value_any_mac(text, mac, e) != 0)
		return -EINVAL;
	if ((mac[0] & 1) != 0)
		return errtext_set(e, -EINVAL,
				   "'%s' is a group address (its first byte is odd); a station "
				   "has an individual one",
				   text);
	if (memcmp(mac, zero, 6) == 0)
		return errtext_set(e, -EINVAL, "'%s' is nobody's address", text);
	memcpy(ret, mac, 6);
	return 0;
}

int conf_value_any_mac(const char *text, uint8_t ret[6], struct errtext *e)
{
	uint8_t mac[6];
	bool right = strlen(text) == 17;

	for (int i = 0; right && i < 6; i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
		char end = text[3 * i + 2];

		right = high >= 0 && low >= 0 &&
			(i == 5 || ((end == ':' || end == '-') && end == text[2]));
		mac[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low); // used only when right
	}
	if (!right)
		return errtext_set(e, -EINVAL,
				   "'%.40s' is not a MAC address like 02:00:00:00:00:01", text);
	memcpy(ret, mac, 6);
	return 0;
}

int conf_value_guid(const char *text, char ret[CONF_GUID_SIZE], struct errtext *e)
{
	char guid[CONF_GUID_SIZE] = "";
	size_t size = strlen(text);
	bool braces = size == CONF_GUID_SIZE + 1 && text[0] == '{' && text[size - 1] == '}';
	bool right = braces || size == CONF_GUID_SIZE - 1;

	for (int i = 0; right && i < CONF_GUID_SIZE - 1; i++) {
		char c = text[i + braces];

		right = (i == 8 || i == 13 || i == 18 || i == 23) ? c == '-' : hex_digit(c) >= 0;
		guid[i] = (char)toupper((unsigned char)c);
	}
	if (!right)
		return errtext_set(
			e, -EINVAL,
			"'%.50s' is not a GUID like AC2DA35C-661A-40AE-82F2-1F62F70DBB2A", text);
	memcpy(ret, guid, CONF_GUID_SIZE);
	return 0;
}

void conf_value_make_guid(const uint8_t random[16], char ret[CONF_GUID_SIZE])
{
	uint8_t b[16];

	memcpy(b, random, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40; // version 4: random
	b[8] = (b[8] & 0x3f) | 0x80; // variant 1
	snprintf(ret, CONF_GUID_SIZE,
		 "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
}

int conf_value_ids(const char *text, uint8_t bits[CONF_PORT_IDS_BYTES], struct errtext *e)
{
	if (read_ranges(text, 0, CONF_PORT_ID_MAX, add_id, bits))
		return 0;
	return errtext_set(e, -EINVAL, "'%.60s' is not a list of ids (0 to %d) like 3,6-9", text,
			   CONF_PORT_ID_MAX);
}

int conf_value_vlans(const char *text, struct vlan_set *ret, struct errtext *e)
{
	struct vlan_set set = {.words = {0}};

	if (!read_ranges(text, 1, VLAN_ID_MAX, add_vlan, &set))
		return errtext_set(e, -EINVAL,
				   "'%.60s' is not a list of VLANs (1 to %d) like "
				   "1-100,200",
				   text, VLAN_ID_MAX);
	*ret = set;
	return 0;
}

int conf_value_text(const char *text, const char *what, size_t min, size_t max, struct errtext *e)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t size = strlen(text);
	uint32_t c;

	if (size < min)
		return errtext_set(e, -EINVAL, "%s is empty", what);
	if (size > max)
		return errtext_set(e, -EINVAL, "%s has %zu bytes; at most %zu are allowed", what,
				   size, max);
	while (*p != '\0') {
		if (!utf8_next(&p, &c))
			return errtext_set(e, -EINVAL, "%s is not valid UTF-8", what);
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return errtext_set(e, -EINVAL,
					   "%s has a control character in it (U+%04X); only "
					   "printable ones are allowed",
					   what, c);
	}
	return 0;
}

int conf_value_ifname(const char *text, const char *what, struct errtext *e)
{
	size_t size = strlen(text);

	if (size == 0 || size >= IFNAMSIZ)
		return errtext_set(e, -EINVAL, "%s '%.60s' has %zu bytes; Linux allows 1 to %d",
				   what, text, size, IFNAMSIZ - 1);
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return errtext_set(e, -EINVAL, "%s cannot be '%s'", what, text);
	for (const char *p = text; *p != '\0'; p++) {
		// '%' would make the kernel choose a number.
		if (*p <= ' ' || *p > '~' || strchr("/:%\"\\", *p) != NULL)
			return errtext_set(e, -EINVAL,
					   "%s '%s' has a character that an interface name "
					   "cannot have; letters, digits, '-', '_', '.' are fine",
					   what, text);
	}
	return 0;
}

int conf_value_nic(const char *text, enum vnic_kind *kind, char ret[VNIC_PATH_SIZE],
		   struct errtext *e)
{
	unsigned pci[4];
	int err;

	if (strncmp(text, "vdev:", 5) == 0) {
		err = conf_value_text(text, "the NIC", 1, VNIC_PATH_SIZE - 1, e);
		if (err != 0)
			return err;
		if (text[5] == '\0' || text[5] == ',')
			return errtext_set(
				e, -EINVAL,
				"'%s' lacks the device, as in vdev:net_af_xdp0,iface=eth1", text);
		*kind = VNIC_ETH;
		memcpy(ret, text, strlen(text) + 1);
		return 0;
	}
	if (read_pci(text, pci)) {
		*kind = VNIC_ETH;
		snprintf(ret, VNIC_PATH_SIZE, "%04x:%02x:%02x.%x", pci[0], pci[1], pci[2], pci[3]);
		return 0;
	}
	if (strchr(text, ':') != NULL)
		return errtext_set(e, -EINVAL,
				   "'%.60s' is neither a kernel interface (eth1) nor a PCI address "
				   "(0000:3b:00.0) nor a DPDK device (vdev:...)",
				   text);
	err = conf_value_ifname(text, "the interface", e);
	if (err != 0)
		return err;
	*kind = VNIC_PACKET;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

bool conf_value_is_pci(const char *nic)
{
	unsigned pci[4];

	return read_pci(nic, pci);
}

int conf_value_path(const char *dir, const char *path, char *ret, size_t size)
{
	char whole[2 * VNIC_PATH_SIZE];
	char *out = whole;
	int need;

	need = path[0] == '/' ? snprintf(whole, sizeof(whole), "%s", path)
			      : snprintf(whole, sizeof(whole), "%s/%s", dir, path);
	if (need < 0 || need >= (int)sizeof(whole))
		return -ENAMETOOLONG;
	for (const char *p = whole; *p != '\0'; p++) {
		if (p[0] == '/' && p[1] == '/')
			continue;
		if (p[0] == '/' && p[1] == '.' && (p[2] == '/' || p[2] == '\0')) {
			p++;
			continue;
		}
		*out++ = *p;
	}
	*out = '\0';
	if ((size_t)(out - whole) >= size)
		return -ENAMETOOLONG;
	memcpy(ret, whole, (size_t)(out - whole) + 1);
	return 0;
}

const char *conf_value_nearest(const char *word, const char *const candidates[], size_t n)
{
	size_t size = strlen(word);
	unsigned best = size <= 3 ? 2 : size <= 7 ? 3 : 4; // the first distance that is too far
	const char *found = NULL;

	if (size == 0 || size > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		unsigned distance;

		if (strlen(candidates[i]) > NEAREST_MAX)
			continue;
		distance = strcasecmp(word, candidates[i]) == 0
				   ? 0
				   : edit_distance(word, candidates[i]);
		if (distance < best) {
			best = distance;
			found = candidates[i];
		}
	}
	return found;
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
static bool utf8_next(const unsigned char **p, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *s = *p;
	uint32_t c = *s++;
	unsigned more = 0;

	if (c >= 0xf0 && c < 0xf8) {
		more = 3;
		c &= 0x07;
	} else if (c >= 0xe0 && c < 0xf0) {
		more = 2;
		c &= 0x0f;
	} else if (c >= 0xc0 && c < 0xe0) {
		more = 1;
		c &= 0x1f;
	} else if (c >= 0x80) {
		return false;
	}
	for (unsigned i = 0; i < more; i++, s++) {
		if ((*s & 0xc0) != 0x80)
			return false; // also at the closing zero
		c = c << 6 | (*s & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	*p = s;
	*ret = c;
	return true;
}

// "0000:3b:00.0" or "3b:00.0".
static bool read_pci(const char *text, unsigned ret[4])
{
	static const unsigned limit[4] = {0xffff, 0xff, 0x1f, 7};
	const char *p = text;
	unsigned first = strlen(text) == 7 ? 1 : 0;

	ret[0] = 0;
	for (unsigned i = first; i < 4; i++) {
		unsigned width = i == 0 ? 4 : i == 3 ? 1 : 2;
		unsigned value = 0;

		for (unsigned k = 0; k < width; k++, p++) {
			if (hex_digit(*p) < 0)
				return false;
			value = value << 4 | (unsigned)hex_digit(*p);
		}
		if (value > limit[i] || *p != (i < 2 ? ':' : i == 2 ? '.' : '\0'))
			return false;
		ret[i] = value;
		p++;
	}
	return true;
}

// Insertions, deletions, changes, and swaps of two neighbours (optimal string alignment).
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned rows[3][NEAREST_MAX + 1];
	size_t na = strlen(a), nb = strlen(b);

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned cost = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < cost)
				cost = last[j] + 1;
			if (now[j - 1] + 1 < cost)
				cost = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < cost)
				cost = before[j - 2] + 1;
			now[j] = cost;
		}
	}
	return rows[na % 3][nb];
}

// "3,6-9": calls 'add' for each number. False: that is not what it is; some were added.
static bool read_ranges(const char *text, uint32_t min, uint32_t max,
			void (*add)(void *set, uint32_t number), void *set)
{
	const char *p = text;

	for (;;) {
		unsigned long first, last;
		char *end;

		if (*p < '0' || *p > '9')
			return false;
		first = last = strtoul(p, &end, 10);
		if (*end == '-') {
			p = end + 1;
			if (*p < '0' || *p > '9')
				return false;
			last = strtoul(p, &end, 10);
		}
		if (first < min || first > last || last > max || (*end != ',' && *end != '\0'))
			return false;
		for (unsigned long number = first; number <= last; number++)
			add(set, (uint32_t)number);
		if (*end == '\0')
			return true;
		p = end + 1;
	}
}

static void add_id(void *set, uint32_t number)
{
	conf_id_set(set, number);
}

static void add_vlan(void *set, uint32_t number)
{
	vlan_set_add(set, (uint16_t)number);
}
