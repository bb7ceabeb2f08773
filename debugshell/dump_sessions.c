/*
 * From a port to the table of its sessions, and all of that.
 */
#include "debugshell/dump.h"
#include "debugshell/vport_sessions.h"
#include "switch/policy_types.h"

static bool find_table(struct shell *sh, const struct vport *port, tgt_addr *ret);

void dump_sessions(struct shell *sh, const struct vport *port, uint64_t *x_room)
{
	const struct type_map *bucket, *entry;
	struct conntrack table;
	uint64_t buckets, entries;
	struct why why;
	tgt_addr addr;

	if (!find_table(sh, port, &addr) ||
	    vport_sessions_read_table(sh, addr, &table, &why) != 0 ||
	    shell_map(sh, "conntrack_bucket", sizeof(struct conntrack_bucket), &bucket, &why) !=
		    0 ||
	    shell_map(sh, "conntrack_entry", sizeof(struct conntrack_entry), &entry, &why) != 0)
		return;
	buckets = (uint64_t)table.n_buckets * bucket->from_size;
	entries = (uint64_t)table.n_buckets * CONNTRACK_WAYS * entry->from_size;
	if (buckets + entries > *x_room)
		return;
	*x_room -= buckets + entries;
	dump_range(sh->target, tgt_ptr(table.buckets), buckets);
	dump_range(sh->target, tgt_ptr(table.entries), entries);
}

static bool find_table(struct shell *sh, const struct vport *port, tgt_addr *ret)
{
	const struct type_map *map;
	struct policy policy;
	struct acl acl;
	struct why why;

	if (port->policy == NULL || shell_map(sh, "policy", sizeof(policy), &map, &why) != 0 ||
	    type_read(sh->target, map, tgt_ptr(port->policy), &policy) != 0 || policy.acl == NULL ||
	    shell_map(sh, "acl", sizeof(acl), &map, &why) != 0 ||
	    type_read(sh->target, map, tgt_ptr(policy.acl), &acl) != 0)
		return false;
	*ret = tgt_ptr(acl.sessions);
	return acl.sessions != NULL;
}
