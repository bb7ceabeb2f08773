#include <errno.h>
#include <string.h>

#include "switch/ctl_call.h"

static const struct {
	const char *words; // the command
	const char *usage;
	const char *text; // lines, each indented by two blanks
} topics[] = {
	{"switch add",
	 "switch add NAME private\n"
	 "switch add NAME internal [KEY VALUE]...\n"
	 "switch add NAME external nic NIC [KEY VALUE]...",
	 "  Makes a virtual switch. On a private one are only the ports that are added; an "
	 "internal\n"
	 "  one has the host on it (vport NAME:internal, a TAP); an external one the host and the\n"
	 "  wire (NAME:external).\n"
	 "  nic NIC                     eth1, 0000:3b:00.0 or vdev:DRIVER,ARGUMENTS (external)\n"
	 "  allow-management-os on|off  the host is on an external switch, or not; default on\n"
	 "  tap IFNAME                  what the host's TAP is called; default vsw-NAME\n"
	 "  id GUID, device-id GUID     else they are chosen\n"
	 "  retired-ids LIST            port ids that are not to be given out (saved state)\n"},
	{"switch set", "switch set NAME KEY VALUE...",
	 "  ageing SECONDS      stations not seen for so long are forgotten; 0 = never; default "
	 "300\n"
	 "  stations N          size of the MAC table; default 8192\n"
	 "  mtu BYTES           longest packet without its Ethernet header; default 1500\n"
	 "  vmq-scheduling dynamic|static  whether the load decides which proc polls which queue; "
	 "default\n"
	 "                      dynamic\n"
	 "  friendly-name TEXT  what the debug shell shows; \"\" = the name\n"},
	{"switch remove", "switch remove NAME",
	 "  Removes the switch with all of its ports and the host's TAPs.\n"},
	{"port add",
	 "port add NAME switch SWITCH vhost SOCKET [client|server] [KEY VALUE]...\n"
	 "port add NAME switch SWITCH tap IFNAME | nic NIC | pcap [rx FILE] [tx FILE] "
	 "[KEY VALUE]...",
	 "  Adds a port and connects it:\n"
	 "  vhost SOCKET   a VM, by vhost-user; relative paths are in RUN_DIR. client (default): "
	 "QEMU\n"
	 "                 owns the socket; server: vswd does\n"
	 "  tap IFNAME     a TAP of the host, made by vswd\n"
	 "  nic NIC        as for `switch add`\n"
	 "  pcap           rx FILE is replayed, tx FILE gets what is sent to the port; tx - goes "
	 "to\n"
	 "                 vswctl's output, and the port lasts as long as vswctl\n"
	 "  mac MAC        the station behind the port: never ages, never moves; it may send from\n"
	 "                 no other address (see mac-spoofing of `port set`)\n"
	 "  id N           port id; default the lowest that was never used\n"
	 "  queues N       queue pairs of a VM, 1 to 16 (default 1): flows are spread over those "
	 "that\n"
	 "                 the guest has switched on\n"
	 "  vlan, mirror and all the other keys of `port set` but friendly-name and max-stations; "
	 "the\n"
	 "                 port is not there without them. mirror with pcap tx - is a live "
	 "capture\n"
	 "  features 0x..  virtio features to offer (saved state)\n"},
	{"port set", "port set NAME KEY VALUE...",
	 "  mac MAC|dynamic|none    the station behind the port; dynamic: the next of this host's "
	 "pool\n"
	 "  mac-spoofing on|off     frames may come from other addresses than its own; default "
	 "off\n"
	 "  teaming on|off          and from those of the VM's other ports; default off\n"
	 "  vm NAME|none            whose port it is, for teaming\n"
	 "  vlan default            untagged; External ports and captures carry all VLANs\n"
	 "  vlan untagged           only frames without a tag\n"
	 "  vlan access ID          one VLAN, without tags\n"
	 "  vlan trunk LIST [native ID|none] [prune LIST]\n"
	 "                          several, with tags, the native one without; none: nothing\n"
	 "                          without a tag\n"
	 "  vlan isolated PRIMARY SECONDARY\n"
	 "  vlan community PRIMARY SECONDARY\n"
	 "  vlan promiscuous PRIMARY LIST\n"
	 "                          private VLANs\n"
	 "  ieee-priority on|off    the priority of tags is kept; default off\n"
	 "  storm-limit N           broadcast, multicast and unknown frames per second; 0 = no "
	 "limit\n"
	 "  dhcp-guard on|off       drops what only a DHCP server sends; default off\n"
	 "  router-guard on|off     drops what only a router sends: advertisements, redirects\n"
	 "  arp-guard on|off        drops ARP and IPv6 neighbour messages about other addresses "
	 "than\n"
	 "                          its own\n"
	 "  address LIST|none       its own: addresses and prefixes, IPv4 and IPv6\n"
	 "  address-limit N         so many addresses more may be announced; 0 = off, the default\n"
	 "  sessions N|default      of stateful rules, see `acl add`; default 4096\n"
	 "                          takes 144 to 288 bytes of memory for each\n"
	 "  sessions-full drop|allow\n"
	 "                          what becomes of frames that find no room for a session; "
	 "default\n"
	 "                          drop\n"
	 "  mirror none|source|destination [session N]\n"
	 "                          what a source sends and receives is copied to the destinations "
	 "of\n"
	 "                          its session, 1 if none is said\n"
	 "  vmq-pin LIST|none       its queues are polled on these cores: 0:2,1:3; see `vmq pin`\n"
	 "  max-stations N          how many stations may be learned there; 0 = the default\n"
	 "  friendly-name TEXT      what the debug shell shows; \"\" = the default\n"},
	{"port check", "port check NAME KEY VALUE...",
	 "  Says whether `port set` (or, if there is no such port, `port add`) would accept this.\n"
	 "  Nothing is made and nothing is reserved.\n"},
	{"port remove", "port remove NAME",
	 "  Removes the port and its TAP. Its id is not reused.\n"},
	{"acl add",
	 "acl add PORT basic direction in|out|both local|remote ADDRESS action allow|deny|meter\n"
	 "acl add PORT extended direction in|out action allow|deny weight N [KEY VALUE]...",
	 "  Adds a rule to the port's access control list. in is to the VM, out from it; local is "
	 "its\n"
	 "  side of a frame, remote the other.\n"
	 "  basic: about one MAC address, one IP address or prefix, any (all of IP) or any-mac. "
	 "The\n"
	 "  longest prefix that matches decides; what none matches passes. meter counts and "
	 "decides\n"
	 "  nothing.\n"
	 "  extended: about IP; of the rules that match, that of the highest weight decides; what\n"
	 "  none matches passes.\n"
	 "  local-address ADDRESS, remote-address ADDRESS\n"
	 "                      addresses or prefixes, IPv4 or IPv6; default any\n"
	 "  protocol NAME|N     tcp, udp, icmp, icmpv6, any or a number; default any\n"
	 "  local-port N[-N], remote-port N[-N]\n"
	 "                      of protocols that have ports; default any\n"
	 "  stateful on|off     what it allows has a session, which lets the replies pass; default "
	 "off\n"
	 "  idle-timeout SECONDS\n"
	 "                      until a silent session ends; default 255\n"
	 "  both: number N      the rule's number; default the one behind the port's last\n"},
	{"acl remove", "acl remove PORT N|all",
	 "  Removes a rule by its number, or all. Sessions that a rule has made end with it.\n"},
	{"acl show", "acl show PORT",
	 "  The port's rules, and how many frames and bytes matched each.\n"},
	{"show switches", "show switches [NAME]", "  Type, NIC, MTU, MAC table of each switch.\n"},
	{"show ports", "show ports [NAME]",
	 "  State, peer and counters of each port, or of those of a switch.\n"},
	{"show policy", "show policy [NAME]",
	 "  VLAN, address and limits of each port, or of those of a switch.\n"},
	{"show sessions", "show sessions PORT",
	 "  The flows that the port's stateful rules have let pass; how many there are, how many "
	 "there\n"
	 "  can be, and how many found no room.\n"},
	{"show fdb", "show fdb [NAME]",
	 "  The stations that are known, and where. NAME is a switch or a port.\n"},
	{"show drops", "show drops [NAME]", "  Frames that were dropped, by port and reason.\n"},
	{"show procs", "show procs", "  The polling processors and what they have done.\n"},
	{"proc show", "proc show",
	 "  The polling processors: core, NUMA node, queues, and load and frames in the last "
	 "second.\n"},
	{"proc add", "proc add CORE",
	 "  Starts one more proc, until vswd ends: --procs says with which it starts again.\n"},
	{"proc remove", "proc remove NUMBER",
	 "  Gives the proc's queues to the others and ends it, until vswd starts again.\n"},
	{"vmq show", "vmq show [NAME]",
	 "  The receive queues of each port, or of those of a switch: who polls them, and what\n"
	 "  they took of its time in the last second.\n"},
	{"vmq moves", "vmq moves",
	 "  The last moves of receive queues from proc to proc that the load has caused: loads\n"
	 "  before, and as foreseen. See vmq-scheduling of `switch set`.\n"},
	{"vmq pin", "vmq pin PORT [QUEUE] CORE",
	 "  The proc on this core polls the queue, or all of the port's, from now on. It is saved "
	 "with\n"
	 "  the port. While no proc is on the core, the queue is placed as if it were not "
	 "pinned.\n"},
	{"vmq unpin", "vmq unpin PORT [QUEUE]",
	 "  The queue may be moved again; it stays where it is.\n"},
	{"save", "save", "  Prints the commands that rebuild the present state.\n"},
	{"help", "help [COMMAND]", "  This.\n"},
	{"version", "version", "  The version of the vswd that answers.\n"},
};

enum { N_TOPICS = sizeof(topics) / sizeof(topics[0]) };

static bool topic_matches(const struct ctl_call *call, const char *topic)
{
	const struct words *w = call->w;
	size_t first;

	if (w->n < 2)
		return true;
	first = strcspn(topic, " ");
	if (strlen(w->text[1]) != first || strncmp(topic, w->text[1], first) != 0)
		return false;
	return w->n < 3 || (topic[first] == ' ' && strcmp(topic + first + 1, w->text[2]) == 0);
}

int ctl_help(struct ctl_call *call)
{
	static const struct out_column none[] = {{"command", NULL}};
	bool whole = call->w->n >= 2;
	unsigned found = 0;

	for (unsigned i = 0; i < N_TOPICS; i++)
		found += topic_matches(call, topics[i].words);
	if (found == 0)
		return ctl_fail(call, 1, -EINVAL,
				"there is no help on '%.60s%s%.60s'; `help` lists "
				"all commands",
				call->w->text[1], call->w->n > 2 ? " " : "",
				call->w->n > 2 ? call->w->text[2] : "");
	out_begin(&call->out);
	out_table_begin(&call->out, "commands", none, 0);
	for (unsigned i = 0; i < N_TOPICS; i++) {
		if (!topic_matches(call, topics[i].words))
			continue;
		out_text(&call->out, "%s\n%s", topics[i].usage, whole ? topics[i].text : "");
		if (call->out.json)
			out_row(&call->out,
				json_pack("{s:s, s:s, s:s}", "command", topics[i].words, "usage",
					  topics[i].usage, "text", topics[i].text));
	}
	out_table_end(&call->out);
	if (!whole)
		out_text(&call->out, "`help COMMAND` says more, as in `help port add`.\n");
	out_end(&call->out);
	return 0;
}

int ctl_version(struct ctl_call *call)
{
	out_text(&call->out, "vswd %s\n", VSW_VERSION);
	out_begin(&call->out);
	out_value(&call->out, "version", json_string(VSW_VERSION));
	out_end(&call->out);
	return 0;
}
