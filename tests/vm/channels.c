// channels IFNAME [N]: says how many queue pairs a NIC uses, after setting it to N; what
// `ethtool -l` and `ethtool -L IFNAME combined N` do, for VMs that have nothing but busybox.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <net/if.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

static int call(const char *ifname, struct ethtool_channels *channels, unsigned command)
{
	struct ifreq request = {.ifr_data = (void *)channels};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	channels->cmd = command;
	if (fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0)
		return 0;
	fprintf(stderr, "channels: %s: %s\n", ifname, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct ethtool_channels channels = {.cmd = 0};

	if (argc < 2 || call(argv[1], &channels, ETHTOOL_GCHANNELS) != 0)
		return 1;
	if (argc > 2) {
		channels.combined_count = (unsigned)atoi(argv[2]);
		if (call(argv[1], &channels, ETHTOOL_SCHANNELS) != 0 ||
		    call(argv[1], &channels, ETHTOOL_GCHANNELS) != 0)
			return 1;
	}
	printf("%u of %u\n", channels.combined_count, channels.max_combined);
	return 0;
}
