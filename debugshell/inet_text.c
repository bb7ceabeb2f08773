#include "debugshell/inet_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct text inet_text_ip(unsigned version, const uint8_t *bytes)
{
	int family = version == 4 ? AF_INET : AF_INET6;
	struct text text = {.s = "?"};

	if (version == 4 || version == 6)
		inet_ntop(family, bytes, text.s, sizeof(text.s));
	return text;
}

struct text inet_text_mapped(const uint8_t *bytes)
{
	static const uint8_t before[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(bytes, before, sizeof(before)) == 0)
		return inet_text_ip(4, bytes + sizeof(before));
	return inet_text_ip(6, bytes);
}

struct text inet_text_protocol(unsigned number)
{
	struct text text = {.s = ""};

	switch (number) {
	case IPPROTO_ICMP:
		print_append(&text, "icmp");
		break;
	case IPPROTO_TCP:
		print_append(&text, "tcp");
		break;
	case IPPROTO_UDP:
		print_append(&text, "udp");
		break;
	case IPPROTO_ICMPV6:
		print_append(&text, "icmpv6");
		break;
	default:
		print_append(&text, "%u", number);
	}
	return text;
}
