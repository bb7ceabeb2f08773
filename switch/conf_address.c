#include "switch/conf_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "switch/conf_value.h"

enum {
	MAPPED_BYTES = 12, // of an IPv6 address, before the IPv4 address in it
	MAPPED_BITS = MAPPED_BYTES * 8,
	WORD_SIZE = INET6_ADDRSTRLEN + 4 // with "/128"
};

static bool has_bits_behind(const struct guard_address *a);
static bool is_nobodys(const struct guard_address *a);

int conf_address_read(const char *text, struct guard_address *ret, struct errtext *e)
{
	struct guard_address a;

	if (conf_address_read_any(text, &a, e) != 0)
		return -EINVAL;
	if (is_nobodys(&a))
		return errtext_set(e, -EINVAL, "'%s' is no station's address", text);
	*ret = a;
	return 0;
}

int conf_address_read_any(const char *text, struct guard_address *ret, struct errtext *e)
{
	struct guard_address a = {.bits = 128};
	const char *slash = strchr(text, '/');
	size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	uint32_t bits;

	if (size >= sizeof(address))
		goto wrong;
	memcpy(address, text, size);
	address[size] = '\0';
	if (inet_pton(AF_INET, address, a.bytes + MAPPED_BYTES) == 1)
		memset(a.bytes + MAPPED_BYTES - 2, 0xff, 2);
	else if (inet_pton(AF_INET6, address, a.bytes) != 1)
		goto wrong;
	if (slash != NULL) {
		bool ipv4 = strchr(address, ':') == NULL;

		if (conf_value_number(slash + 1, 0, ipv4 ? 32 : 128, &bits, NULL) != 0)
			return errtext_set(e, -EINVAL,
					   "'%.50s' is not an address or a prefix: one of %s is "
					   "/%d at most",
					   text, ipv4 ? "IPv4" : "IPv6", ipv4 ? 32 : 128);
		a.bits = (uint8_t)(ipv4 ? bits + MAPPED_BITS : bits);
	}
	if (has_bits_behind(&a))
		return errtext_set(e, -EINVAL, "'%s' has bits behind its prefix", text);
	*ret = a;
	return 0;
wrong:
	return errtext_set(e, -EINVAL,
			   "'%.50s' is not an address or a prefix like 192.0.2.1 or "
			   "2001:db8::/32",
			   text);
}

bool conf_address_is_ipv4(const struct guard_address *a)
{
	static const uint8_t mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};

	return a->bits >= MAPPED_BITS && memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

int conf_address_read_list(const char *text, struct guard_address *ret, uint8_t *ret_n,
			   struct errtext *e)
{
	uint8_t n = 0;

	for (const char *p = text;; p++) {
		size_t size = strcspn(p, ",");
		char word[WORD_SIZE];

		snprintf(word, sizeof(word), "%.*s", (int)size, p);
		if (n == GUARD_ADDRESSES_MAX)
			return errtext_set(e, -EINVAL,
					   "a port has at most %d addresses; prefixes help",
					   GUARD_ADDRESSES_MAX);
		if (conf_address_read(word, &ret[n], e) != 0)
			return -EINVAL;
		for (unsigned i = 0; i < n; i++)
			if (memcmp(&ret[i], &ret[n], sizeof(ret[n])) == 0)
				return errtext_set(e, -EINVAL, "'%s' is there twice", word);
		n++;
		p += size;
		if (*p == '\0')
			break;
	}
	*ret_n = n;
	return 0;
}

void conf_address_print_list(const struct guard_address *addresses, unsigned n, FILE *f)
{
	for (unsigned i = 0; i < n; i++) {
		const struct guard_address *a = &addresses[i];
		bool ipv4 = conf_address_is_ipv4(a);
		unsigned all = ipv4 ? 32 : 128, bits = ipv4 ? a->bits - MAPPED_BITS : a->bits;
		char text[INET6_ADDRSTRLEN] = "";

		inet_ntop(ipv4 ? AF_INET : AF_INET6, a->bytes + (ipv4 ? MAPPED_BYTES : 0), text,
			  sizeof(text));
		fprintf(f, "%s%s", i > 0 ? "," : "", text);
		if (bits < all)
			fprintf(f, "/%u", bits);
	}
}

static bool has_bits_behind(const struct guard_address *a)
{
	for (unsigned bit = a->bits; bit < 128; bit++)
		if (a->bytes[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

// Unspecified or a group's; a prefix may have such among others.
static bool is_nobodys(const struct guard_address *a)
{
	static const uint8_t zero[16];

	if (conf_address_is_ipv4(a))
		return (a->bits == 128 && memcmp(a->bytes + MAPPED_BYTES, zero, 4) == 0) ||
		       (a->bits >= MAPPED_BITS + 4 && a->bytes[MAPPED_BYTES] >= 0xe0);
	return (a->bits == 128 && memcmp(a->bytes, zero, sizeof(zero)) == 0) ||
	       (a->bits >= 8 && a->bytes[0] == 0xff);
}
