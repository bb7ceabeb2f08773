/*
 * `show fdb`: a table may hold millions of stations, so the answer comes in pieces of so many
 * buckets. Between two pieces the switch lives on: a station that moves in the table meanwhile
 * may be missing or there twice, and a switch that goes away ends its part.
 */
#include <string.h>

#include "switch/ctl_call.h"
#include "switch/ctl_show.h"
#include "switch/fdb.h"
#include "switch/proc.h"
#include "switch/vswitch.h"

enum { PIECE_BUCKETS = 512 };

// What the walk over a piece carries along.
struct piece {
	struct ctl_call *call;
	const struct vswitch *sw;
	const char *names[VPORT_MAX]; // of the ports, by slot
};

static bool next_piece(struct ctl_call *call);
static bool next_switch(struct ctl_call *call);
static bool print_station(const struct fdb_station *st, void *arg);
static void print_totals(struct ctl_call *call);
static json_t *totals_row(const struct vswitch *sw);

int ctl_show_fdb(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"mac", "MAC", 17},       {"vlan", "VLAN", 4, .right = true},
		{"type", "TYPE", 7},      {"age_s", "AGE", 6, .right = true},
		{"switch", "SWITCH", 16}, {"port", "PORT", 16},
	};
	struct ctl_fdb_cursor *at = &call->fdb;
	struct vswitch *sw;
	struct vport *port;
	int err;

	err = ctl_show_name(call, &sw, &port);
	if (err != 0)
		return err;
	memset(at, 0, sizeof(*at));
	at->all = sw == NULL && port == NULL;
	if (port != NULL) {
		memcpy(at->port_name, port->obj.name, sizeof(at->port_name));
		sw = port->vswitch;
	}
	if (sw != NULL)
		memcpy(at->switch_name, sw->obj.name, sizeof(at->switch_name));
	else if (!next_switch(call))
		at->switch_name[0] = '\0';
	out_begin(&call->out);
	out_table_begin(&call->out, "fdb", columns, sizeof(columns) / sizeof(columns[0]));
	call->more = next_piece;
	return 0;
}

static bool next_piece(struct ctl_call *call)
{
	struct ctl_fdb_cursor *at = &call->fdb;
	struct vswitch *sw = vswitch_find(at->switch_name);
	struct piece piece = {.call = call, .sw = sw};
	struct fdb *fdb;

	if (sw != NULL) {
		fdb = atomic_load(&sw->fdb);
		for (uint32_t i = 0; i < sw->n_ports; i++)
			piece.names[sw->ports[i]->slot] = sw->ports[i]->obj.name;
		fdb_walk_part(fdb, proc_now_s(), at->bucket, PIECE_BUCKETS, print_station, &piece);
		at->bucket += PIECE_BUCKETS;
		if (at->bucket < fdb->n_buckets)
			return false;
	}
	at->bucket = 0;
	if (at->all && next_switch(call))
		return false;
	out_table_end(&call->out);
	print_totals(call);
	out_end(&call->out);
	return true;
}

// Goes to the next switch in order; one may have been removed meanwhile.
static bool next_switch(struct ctl_call *call)
{
	struct ctl_fdb_cursor *at = &call->fdb;

	if (at->switch_index >= vswitch_count())
		return false;
	memcpy(at->switch_name, vswitch_at(at->switch_index++)->obj.name, sizeof(at->switch_name));
	return true;
}

static bool print_station(const struct fdb_station *st, void *arg)
{
	struct piece *piece = arg;
	const char *port = st->slot < VPORT_MAX ? piece->names[st->slot] : NULL;
	const char *only = piece->call->fdb.port_name;
	bool is_static = (st->flags & FDB_ENTRY_STATIC) != 0;
	json_t *row;

	if (port == NULL || (only[0] != '\0' && strcmp(only, port) != 0))
		return true;
	row = json_object();
	json_object_set_new(row, "mac", ctl_show_mac(st->mac));
	json_object_set_new(row, "vlan", json_integer(st->vlan));
	json_object_set_new(row, "type", json_string(is_static ? "static" : "learned"));
	json_object_set_new(row, "age_s", is_static ? json_null() : json_integer(st->age_s));
	json_object_set_new(row, "switch", out_string(piece->sw->obj.name));
	json_object_set_new(row, "port", out_string(port));
	out_row(&piece->call->out, row);
	return true;
}

static void print_totals(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"switch", "SWITCH"},
		{"stations", "STATIONS", .right = true},
		{"max_stations", "MAX", .right = true},
		{"learned", "LEARNED", .right = true},
		{"moved", "MOVED", .right = true},
		{"aged", "AGED", .right = true},
		{"flushed", "FLUSHED", .right = true},
		{"evicted", "EVICTED", .right = true},
		{"refused", "REFUSED", .right = true},
		{"over_quota", "OVER-QUOTA", .right = true},
	};
	const struct ctl_fdb_cursor *at = &call->fdb;

	if (call->out.n_rows > 0)
		out_text(&call->out, "\n");
	out_table_begin(&call->out, "totals", columns, sizeof(columns) / sizeof(columns[0]));
	for (uint32_t i = 0; i < vswitch_count(); i++) {
		const struct vswitch *sw = vswitch_at(i);

		if (at->all || strcmp(at->switch_name, sw->obj.name) == 0)
			out_row(&call->out, totals_row(sw));
	}
	out_table_end(&call->out);
}

static json_t *totals_row(const struct vswitch *sw)
{
	const struct fdb *fdb = atomic_load(&sw->fdb);
	json_t *row = json_object(), *ports = json_array();
	uint64_t over_quota = 0;

	for (uint32_t i = 0; i < sw->n_ports; i++) {
		const struct vport *port = sw->ports[i];
		const struct fdb_port *fp = &fdb->ports[port->slot];
		json_t *p = json_object();

		over_quota += atomic_load(&fp->refused);
		json_object_set_new(p, "port", out_string(port->obj.name));
		json_object_set_new(p, "stations", json_integer(atomic_load(&fp->stations)));
		json_object_set_new(p, "quota", json_integer(atomic_load(&fp->quota)));
		json_object_set_new(p, "refused",
				    json_integer((json_int_t)atomic_load(&fp->refused)));
		json_object_set_new(p, "moved_in",
				    json_integer((json_int_t)atomic_load(&fp->moved_in)));
		json_array_append_new(ports, p);
	}
	json_object_set_new(row, "switch", out_string(sw->obj.name));
	json_object_set_new(row, "stations", json_integer(atomic_load(&fdb->stations)));
	json_object_set_new(row, "max_stations", json_integer(fdb->max_stations));
	json_object_set_new(row, "ageing_s", json_integer(fdb->ageing_s));
#define COUNTER(name)                                                                              \
	json_object_set_new(row, #name, json_integer((json_int_t)atomic_load(&fdb->name)))
	COUNTER(learned);
	COUNTER(moved);
	COUNTER(aged);
	COUNTER(flushed);
	COUNTER(evicted);
	COUNTER(forgotten);
	COUNTER(refused);
	COUNTER(busy);
	COUNTER(pinned);
#undef COUNTER
	json_object_set_new(row, "over_quota", json_integer((json_int_t)over_quota));
	json_object_set_new(row, "ports", ports);
	return row;
}
