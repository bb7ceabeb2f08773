/*
 * The least an IP host must do to be found and pinged: ARP and ICMP echo.
 */
#include <string.h>

#include "tests/guest/vguest.h"

#define ETHER_SIZE 14u
#define ARP_SIZE   28u
#define IP_SIZE    20u
#define ICMP_SIZE  8u

static uint32_t answer_arp(const uint8_t mac[6], uint32_t ip, const uint8_t *arp, uint8_t *reply);
static uint32_t answer_echo(uint32_t ip, const uint8_t *frame, uint32_t length, uint8_t *reply);
static uint16_t checksum(const uint8_t *at, uint32_t size);

uint32_t vguest_answer(const uint8_t mac[6], uint32_t ip, const uint8_t *frame, uint32_t length,
		       uint8_t *reply)
{
	uint32_t size = 0;

	if (length < ETHER_SIZE + ARP_SIZE || frame[12] != 0x08)
		return 0;
	if (frame[13] == 0x06)
		size = answer_arp(mac, ip, frame + ETHER_SIZE, reply);
	else if (frame[13] == 0x00 && memcmp(frame, mac, 6) == 0)
		size = answer_echo(ip, frame, length, reply);
	if (size == 0)
		return 0;
	memcpy(reply, frame + 6, 6);
	memcpy(reply + 6, mac, 6);
	memcpy(reply + 12, frame + 12, 2);
	return size;
}

static uint32_t answer_arp(const uint8_t mac[6], uint32_t ip, const uint8_t *arp, uint8_t *reply)
{
	static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint8_t *out = reply + ETHER_SIZE;

	if (memcmp(arp, request, sizeof(request)) != 0 || memcmp(arp + 24, &ip, 4) != 0)
		return 0;
	memset(reply, 0, 60);
	memcpy(out, request, sizeof(request));
	out[7] = 2;
	memcpy(out + 8, mac, 6);
	memcpy(out + 14, &ip, 4);
	memcpy(out + 18, arp + 8, 10);
	return 60;
}

static uint32_t answer_echo(uint32_t ip, const uint8_t *frame, uint32_t length, uint8_t *reply)
{
	const uint8_t *h = frame + ETHER_SIZE;
	uint32_t total = (uint32_t)h[2] << 8 | h[3];
	uint8_t *out = reply + ETHER_SIZE;

	// Options and fragments are not for a test's ping.
	if (h[0] != 0x45 || h[9] != 1 || (h[6] & 0x3f) || h[7] || memcmp(h + 16, &ip, 4) != 0 ||
	    total < IP_SIZE + ICMP_SIZE || total > length - ETHER_SIZE || h[IP_SIZE] != 8)
		return 0;
	memcpy(reply, frame, length);
	memcpy(out + 12, h + 16, 4);
	memcpy(out + 16, h + 12, 4);
	memset(out + 10, 0, 2);
	uint16_t sum = checksum(out, IP_SIZE);
	memcpy(out + 10, &sum, 2);
	out[IP_SIZE] = 0;
	memset(out + IP_SIZE + 2, 0, 2);
	sum = checksum(out + IP_SIZE, total - IP_SIZE);
	memcpy(out + IP_SIZE + 2, &sum, 2);
	return length;
}

static uint16_t checksum(const uint8_t *at, uint32_t size)
{
	uint32_t sum = 0;
	uint16_t word;

	for (; size > 1; at += 2, size -= 2) {
		memcpy(&word, at, 2);
		sum += word;
	}
	if (size)
		sum += *at;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
