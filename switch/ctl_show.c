/*
 * `show switches`, `show ports`, `show drops`. Counters are read while procs
 * write them: each is right by itself, a row of them is a moment's view.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ports/vnic.h"
#include "ports/vport.h"
#include "switch/conf_value.h"
#include "switch/ctl_call.h"
#include "switch/ctl_show.h"
#include "switch/fdb_types.h"
#include "switch/vswitch.h"

enum { TIME_SIZE = 32, MAC_SIZE = 18 };

static json_t *switch_row(const struct conf *c, const struct vswitch *sw);
static uint32_t used_queues(const struct vnic *nic);
static json_t *queue_pairs(const struct vnic *nic);
static json_t *port_row(const struct vport *port);
static json_t *drops_object(const struct vport_stats *st, enum drop_direction dir,
			    uint64_t *x_total);
static void drop_rows(struct ctl_call *call, const struct vport *port);

int ctl_show_for_ports(struct ctl_call *call,
		       void (*fn)(struct ctl_call *call, const struct vport *port))
{
	struct vswitch *only;
	struct vport *port;
	int err;

	err = ctl_show_name(call, &only, &port);
	if (err != 0)
		return err;
	if (port != NULL) {
		fn(call, port);
		return 0;
	}
	for (uint32_t i = 0; i < vswitch_count(); i++) {
		const struct vswitch *sw = vswitch_at(i);

		for (uint32_t p = 0; (only == NULL || only == sw) && p < sw->n_ports; p++)
			fn(call, sw->ports[p]);
	}
	return 0;
}

int ctl_show_switches(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"name", "NAME"},
		{"type", "TYPE"},
		{"id", "ID"},
		{"ports", "PORTS", .right = true},
		{"nic", "NIC"},
		{"mtu", "MTU", .right = true},
		{"ageing_s", "AGEING", .right = true},
		{"stations", "STATIONS", .right = true},
		{"max_stations", "MAX", .right = true},
		{"friendly_name", "FRIENDLY NAME"},
	};
	struct vswitch *only;
	struct vport *port;
	int err;

	err = ctl_show_name(call, &only, &port);
	if (err != 0)
		return err;
	if (port != NULL)
		only = port->vswitch;
	out_begin(&call->out);
	out_table_begin(&call->out, "switches", columns, sizeof(columns) / sizeof(columns[0]));
	for (uint32_t i = 0; i < vswitch_count(); i++) {
		if (only == NULL || only == vswitch_at(i))
			out_row(&call->out, switch_row(change_conf(call->change), vswitch_at(i)));
	}
	out_table_end(&call->out);
	out_end(&call->out);
	return 0;
}

static void port_row_out(struct ctl_call *call, const struct vport *port)
{
	out_row(&call->out, port_row(port));
}

int ctl_show_ports(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"name", "NAME"},
		{"switch", "SWITCH"},
		{"id", "ID", .right = true},
		{"type", "TYPE"},
		{"kind", "KIND"},
		{"state", "STATE"},
		{"since", "SINCE"},
		{"peer", "PEER"},
		{"queues", "QUEUES", .right = true},
		{"queues_used", "USED", .right = true},
		{"mac", "MAC"},
		{"rx_frames", "RX-FRAMES", .right = true},
		{"rx_bytes", "RX-BYTES", .right = true},
		{"tx_frames", "TX-FRAMES", .right = true},
		{"tx_bytes", "TX-BYTES", .right = true},
		{"dropped_in", "DROPS-IN", .right = true},
		{"dropped_out", "DROPS-OUT", .right = true},
		{"why", "WHY"},
	};
	struct vswitch *sw;
	struct vport *port;
	int err;

	err = ctl_show_name(call, &sw, &port);
	if (err != 0)
		return err;
	out_begin(&call->out);
	out_table_begin(&call->out, "ports", columns, sizeof(columns) / sizeof(columns[0]));
	ctl_show_for_ports(call, port_row_out);
	out_table_end(&call->out);
	out_end(&call->out);
	return 0;
}

int ctl_show_drops(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"port", "PORT"},          {"direction", "DIRECTION"},
		{"reason", "REASON"},      {"frames", "FRAMES", .right = true},
		{"text", "WHAT IT MEANS"},
	};
	struct vswitch *sw;
	struct vport *port;
	int err;

	err = ctl_show_name(call, &sw, &port);
	if (err != 0)
		return err;
	out_begin(&call->out);
	out_table_begin(&call->out, "drops", columns, sizeof(columns) / sizeof(columns[0]));
	ctl_show_for_ports(call, drop_rows);
	if (call->out.n_rows == 0)
		out_text(&call->out, "no frame was dropped\n");
	out_table_end(&call->out);
	out_end(&call->out);
	return 0;
}

json_t *ctl_show_mac(const uint8_t mac[6])
{
	char text[MAC_SIZE];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return json_string(text);
}

static json_t *switch_row(const struct conf *c, const struct vswitch *sw)
{
	const struct conf_switch *conf = conf_switch_find(c, sw->obj.name);
	const struct fdb *fdb = atomic_load(&sw->fdb);
	bool external = sw->type == CONF_SWITCH_EXTERNAL;
	json_t *row = json_object();

	json_object_set_new(row, "name", out_string(sw->obj.name));
	json_object_set_new(row, "friendly_name", out_string(sw->obj.friendly_name));
	json_object_set_new(row, "type", json_string(conf_switch_type_name(sw->type)));
	json_object_set_new(row, "id", json_string(sw->id));
	json_object_set_new(row, "device_id", json_string(sw->device_id));
	json_object_set_new(row, "ports", json_integer(sw->n_ports));
	json_object_set_new(row, "nic", external ? out_string(conf->nic) : json_null());
	if (external)
		json_object_set_new(row, "allow_management_os",
				    json_boolean(conf->allow_management_os));
	json_object_set_new(row, "mtu", json_integer(atomic_load(&sw->mtu)));
	json_object_set_new(row, "ageing_s", json_integer(sw->ageing_s));
	json_object_set_new(row, "stations", json_integer(atomic_load(&fdb->stations)));
	json_object_set_new(row, "max_stations", json_integer(fdb->max_stations));
	return row;
}

static void set_nic(json_t *row, const struct vnic *nic)
{
	const bool pcap = nic->kind == VNIC_PCAP;
	char since[TIME_SIZE] = "";
	time_t since_s = nic->since_s;
	struct tm tm;

	localtime_r(&since_s, &tm);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &tm);
	json_object_set_new(row, "kind", json_string(vnic_kind_name(nic->kind)));
	json_object_set_new(row, "state", json_string(vnic_state_name(nic->state)));
	json_object_set_new(row, "since", json_string(since));
	json_object_set_new(row, "since_s", json_integer(nic->since_s));
	json_object_set_new(row, "path", out_string(nic->path));
	json_object_set_new(row, "peer",
			    out_string(nic->path[0] == '\0' || (pcap && nic->obj.friendly_name[0])
					       ? nic->obj.friendly_name
					       : nic->path));
	json_object_set_new(row, "nic", out_string(nic->obj.friendly_name));
	json_object_set_new(row, "why", out_string(nic->why));
	json_object_set_new(row, "retries", json_integer(nic->retries));
	json_object_set_new(row, "queues", json_integer(nic->n_queues));
	json_object_set_new(row, "queues_used", json_integer(__builtin_popcount(used_queues(nic))));
	json_object_set_new(row, "queue_pairs", queue_pairs(nic));
	if (nic->mac_set)
		json_object_set_new(row, "nic_mac", ctl_show_mac(nic->mac));
}

// Bit mask of those that frames go to; a guest switches its own on and off.
static uint32_t used_queues(const struct vnic *nic)
{
	return nic->state == VNIC_STATE_CONNECTED ? atomic_load(&nic->rss.queues) : 0;
}

static json_t *queue_pairs(const struct vnic *nic)
{
	json_t *pairs = json_array();

	for (unsigned q = 0; q < nic->n_queues; q++) {
		uint16_t proc = atomic_load(&nic->rxq[q].proc);
		json_t *pair = json_object();

		json_object_set_new(pair, "queue", json_integer(q));
		json_object_set_new(pair, "used", json_boolean(used_queues(nic) >> q & 1));
		json_object_set_new(pair, "proc",
				    proc == VNIC_PROC_NONE ? json_null() : json_integer(proc));
		json_object_set_new(pair, "rx_bursts",
				    json_integer((json_int_t)nic->rxq[q].bursts));
		json_object_set_new(pair, "tx_bursts",
				    json_integer((json_int_t)nic->txq[q].bursts));
		json_array_append_new(pairs, pair);
	}
	return pairs;
}

static json_t *port_row(const struct vport *port)
{
	struct vport_stats st;
	uint64_t in, out;
	json_t *row = json_object();

	vport_sum_stats(port, &st);
	json_object_set_new(row, "name", out_string(port->obj.name));
	json_object_set_new(row, "friendly_name", out_string(port->obj.friendly_name));
	json_object_set_new(row, "switch", out_string(port->vswitch->obj.name));
	json_object_set_new(row, "id", json_integer(port->id));
	json_object_set_new(row, "type", json_string(vport_type_name(port->type)));
	json_object_set_new(row, "port_state", json_string(vport_state_name(port->state)));
	json_object_set_new(row, "is_validation", json_boolean(port->is_validation));
	if (port->nic != NULL) {
		set_nic(row, port->nic);
	} else {
		json_object_set_new(row, "kind", json_null());
		json_object_set_new(row, "state", json_null());
	}
	json_object_set_new(row, "mac",
			    port->mac_set                             ? ctl_show_mac(port->mac)
			    : port->nic != NULL && port->nic->mac_set ? ctl_show_mac(port->nic->mac)
								      : json_null());
	json_object_set_new(row, "mac_static", json_boolean(port->mac_set));
	json_object_set_new(row, "rx_frames", json_integer((json_int_t)st.rx_frames));
	json_object_set_new(row, "rx_bytes", json_integer((json_int_t)st.rx_bytes));
	json_object_set_new(row, "tx_frames", json_integer((json_int_t)st.tx_frames));
	json_object_set_new(row, "tx_bytes", json_integer((json_int_t)st.tx_bytes));
	json_object_set_new(row, "rx_flooded", json_integer((json_int_t)st.rx_flooded));
	json_object_set_new(row, "tx_completed", json_integer((json_int_t)st.tx_completed));
	json_object_set_new(row, "drops_in", drops_object(&st, DROP_IN, &in));
	json_object_set_new(row, "drops_out", drops_object(&st, DROP_OUT, &out));
	json_object_set_new(row, "dropped_in", json_integer((json_int_t)in));
	json_object_set_new(row, "dropped_out", json_integer((json_int_t)out));
	return row;
}

// Reasons that were met, by name.
static json_t *drops_object(const struct vport_stats *st, enum drop_direction dir,
			    uint64_t *x_total)
{
	json_t *drops = json_object();

	*x_total = 0;
	for (unsigned r = 0; r < DROP_COUNT; r++) {
		*x_total += st->drops[dir][r];
		if (st->drops[dir][r] != 0)
			json_object_set_new(drops, drop_reason_name(r),
					    json_integer((json_int_t)st->drops[dir][r]));
	}
	return drops;
}

static void drop_rows(struct ctl_call *call, const struct vport *port)
{
	struct vport_stats st;

	vport_sum_stats(port, &st);
	for (unsigned dir = 0; dir < DROP_DIRECTIONS; dir++) {
		for (unsigned r = 0; r < DROP_COUNT; r++) {
			json_t *row;

			if (st.drops[dir][r] == 0)
				continue;
			row = json_object();
			json_object_set_new(row, "port", out_string(port->obj.name));
			json_object_set_new(row, "switch", out_string(port->vswitch->obj.name));
			json_object_set_new(row, "direction",
					    json_string(dir == DROP_IN ? "in" : "out"));
			json_object_set_new(row, "reason", json_string(drop_reason_name(r)));
			json_object_set_new(row, "frames",
					    json_integer((json_int_t)st.drops[dir][r]));
			json_object_set_new(row, "text", json_string(drop_reason_text(r)));
			out_row(&call->out, row);
		}
	}
}
