#include "debugshell/vnbl_drops.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/clock.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/vnbl_print.h"
#include "debugshell/walk.h"
#include "ports/drops.h"
#include "switch/proc_types.h"

enum {
	DROPS_RECORDS_MAX = 4096, // of one log, whatever the build
	DROPS_TRIES = 5           // of a record that is written over
};

// Where the log of a proc is in the target.
struct drops_log {
	tgt_addr proc;
	unsigned proc_number;
	tgt_addr n;
	tgt_addr records;
	tgt_addr bytes;
	uint32_t n_records;
	uint32_t record_size;
	uint32_t number_at;  // in a record
	uint32_t bytes_size; // of each record
};

struct drop {
	const struct drops_log *log;
	uint32_t at; // index in the log
	tgt_addr addr;
	uint64_t number; // that it has to have
	struct droplog_record record;
	struct vnbl_bytes bytes;
};

static const struct print_column columns[] = {
	{"Type", 6},   {"Address", 18}, {"Proc", 6},       {"Number", 14}, {"Age", 12}, {"Size", 7},
	{"vPort", 18}, {"Name", 24},    {"Direction", 11}, {"Reason", 28}, {"Headers"},
};

static int find_log(struct shell *sh, unsigned proc_number, struct drops_log *ret, struct why *why);
static int find_field(struct shell *sh, const char *name, const char *field, uint32_t *at,
		      uint32_t *size, struct why *why);
static int find_record(struct shell *sh, tgt_addr addr, struct drops_log *log, uint32_t *x_at);
static unsigned count_log(struct shell *sh, const struct drops_log *log,
			  const struct vnbl_port *port);
static unsigned list_log(struct shell *sh, const struct drops_log *log,
			 const struct vnbl_choice *choice, const struct vnbl_ports *ports);
static void list_row(struct shell *sh, const struct drop *d, const struct vnbl_ports *ports);
static void list_port(struct shell *sh, const struct drop *d, const struct vnbl_ports *ports);
static struct vnbl_port port_of(const struct drop *d);
static int drop_read_at(struct shell *sh, struct drop *d, uint64_t *x_n, struct why *why);
static int drop_read(struct shell *sh, struct drop *d, struct why *why);
static void read_bytes(struct shell *sh, struct drop *d);
static int read_counter(struct shell *sh, tgt_addr addr, uint64_t *ret, struct why *why);
static int check_number(const struct drop *d, uint64_t number, struct why *why);
static int check_record(const struct drop *d, struct why *why);
static void drop_detail(struct shell *sh, const struct drop *d, const struct vnbl_ports *ports);
static void print_time(struct shell *sh, uint64_t tsc);
static void print_port(struct shell *sh, const struct vnbl_ports *ports, const char *label,
		       const struct vnbl_port *port);
static void print_port_there(const char *label, tgt_addr at, const struct text *name);
static void print_source(struct shell *sh, const struct vnbl_ports *ports, const struct drop *d);
static const char *direction_name(unsigned direction);
static bool age_of(const struct shell *sh, uint64_t tsc, double *ret);

void vnbl_drops_list(struct shell *sh, const struct vnbl_choice *choice)
{
	struct vnbl_ports ports;
	struct drops_log log;
	unsigned rows = 0;
	struct why why;

	vnbl_ports_read(sh, &ports);
	print_section("DROPPED FRAMES");
	PRINT_TABLE("    ", columns);
	for (uint32_t i = 0; i < sh->root->n_procs; i++) {
		enum object_type type;
		tgt_addr addr;
		int err;

		// One that is damaged is told among those with frames in hand.
		if (!walk_proc(sh, i, &addr) || (choice->proc.v != 0 && addr.v != choice->proc.v) ||
		    walk_type(sh, addr, &type, &why) != 0 || type != OBJECT_PROC)
			continue;
		err = find_log(sh, i, &log, &why);
		if (err == 0) {
			rows += list_log(sh, &log, choice, &ports);
			continue;
		}
		print_note("    ", "%s", why.text);
		rows++;
	}
	if (rows == 0)
		print_none();
	vnbl_ports_free(&ports);
}

unsigned vnbl_drops_count(struct shell *sh, const struct vnbl_port *port)
{
	struct drops_log log;
	unsigned n = 0;
	struct why why;
	tgt_addr proc;

	for (uint32_t i = 0; i < sh->root->n_procs; i++)
		if (walk_proc(sh, i, &proc) && find_log(sh, i, &log, &why) == 0)
			n += count_log(sh, &log, port);
	return n;
}

bool vnbl_drops_knows(struct shell *sh, tgt_addr addr)
{
	struct drops_log log;
	uint32_t at;

	return find_record(sh, addr, &log, &at) == 0;
}

int vnbl_drops_detail(struct shell *sh, tgt_addr addr, bool hex, struct why *why)
{
	struct vnbl_ports ports;
	struct drops_log log;
	struct drop d = {.log = &log, .addr = addr};
	struct vnbl_port at;
	struct text name;
	uint64_t n = 0;
	int err = find_record(sh, addr, &log, &d.at);

	if (err != 0)
		return why_set(why, err, "%016lx is no record of a proc's drop log", addr.v);
	err = -EAGAIN;
	for (unsigned i = 0; i < DROPS_TRIES && err == -EAGAIN; i++)
		err = drop_read_at(sh, &d, &n, why);
	if (err != 0)
		return err;
	vnbl_ports_read(sh, &ports);
	print_title("VNBL", addr, false);
	print_link("Proc", log.proc, "nvkd.proc");
	print_values("Frame", "number of", "%lu of %lu that the proc dropped", d.number, n);
	print_values("In hand", "-", "%s", "N: this is what was kept of it");
	print_extra_flag("in_hand", false);
	drop_detail(sh, &d, &ports);
	vnbl_print_headers(sh, &d.bytes, hex);
	print_section("MORE INFORMATION");
	at = port_of(&d);
	if (vnbl_ports_find(sh, &ports, &at, &name))
		print_link("Drops", at.at, "drops");
	print_link("Struct", addr, "dt droplog_record");
	vnbl_ports_free(&ports);
	return 0;
}

// Negative errno and 'why': this vswd's procs have none.
static int find_log(struct shell *sh, unsigned proc_number, struct drops_log *ret, struct why *why)
{
	uint32_t drops = offsetof(struct proc, drops), drops_size = sizeof(struct droplog);
	uint32_t n = offsetof(struct droplog, n), n_size = sizeof(uint64_t);
	uint32_t records = offsetof(struct droplog, records);
	uint32_t records_size = sizeof(((struct droplog *)NULL)->records);
	uint32_t number = offsetof(struct droplog_record, number);
	uint32_t bytes = offsetof(struct droplog, bytes);
	uint32_t bytes_size = sizeof(((struct droplog *)NULL)->bytes);
	tgt_addr proc = tgt_ptr(sh->root->procs[proc_number]);
	const struct type_map *map;
	int err = find_field(sh, "proc", "drops", &drops, &drops_size, why);

	if (err == 0)
		err = find_field(sh, "droplog", "n", &n, &n_size, why);
	if (err == 0)
		err = find_field(sh, "droplog", "records", &records, &records_size, why);
	if (err == 0)
		err = find_field(sh, "droplog", "bytes", &bytes, &bytes_size, why);
	if (err == 0)
		err = find_field(sh, "droplog_record", "number", &number, &n_size, why);
	if (err == 0)
		err = shell_map(sh, "droplog_record", sizeof(struct droplog_record), &map, why);
	if (err != 0)
		return err;
	*ret = (struct drops_log){.proc = proc,
				  .proc_number = proc_number,
				  .n = tgt_add(proc, (uint64_t)drops + n),
				  .records = tgt_add(proc, (uint64_t)drops + records),
				  .bytes = tgt_add(proc, (uint64_t)drops + bytes),
				  .n_records = records_size / map->from_size,
				  .record_size = map->from_size,
				  .number_at = number};
	if (n_size != sizeof(uint64_t) || ret->n_records == 0 || ret->n_records > DROPS_RECORDS_MAX)
		return why_set(why, -EINVAL, "the target's type data is damaged at struct droplog");
	ret->bytes_size = bytes_size / ret->n_records;
	return 0;
}

// Where a field is in the target's struct; 'at' and 'size' come in as they are in ours.
static int find_field(struct shell *sh, const char *name, const char *field, uint32_t *at,
		      uint32_t *size, struct why *why)
{
	if (!type_db_has_theirs(sh->types) || type_field(sh->types, name, field, at, size) == 0)
		return 0;
	return why_set(why, -ENOENT, "this vswd's struct %s has no field '%s'", name, field);
}

static int find_record(struct shell *sh, tgt_addr addr, struct drops_log *log, uint32_t *x_at)
{
	struct why why;
	tgt_addr proc;

	for (uint32_t i = 0; i < sh->root->n_procs; i++) {
		uint64_t offset;

		if (!walk_proc(sh, i, &proc) || find_log(sh, i, log, &why) != 0)
			continue;
		offset = addr.v - log->records.v;
		if (offset % log->record_size == 0 && offset / log->record_size < log->n_records) {
			*x_at = (uint32_t)(offset / log->record_size);
			return 0;
		}
	}
	return -ENOENT;
}

static unsigned count_log(struct shell *sh, const struct drops_log *log,
			  const struct vnbl_port *port)
{
	const struct type_map *map;
	unsigned n = 0;
	struct why why;

	if (shell_map(sh, "droplog_record", sizeof(struct droplog_record), &map, &why) != 0)
		return 0;
	for (uint32_t i = 0; i < log->n_records; i++) {
		struct drop d = {.addr = tgt_add(log->records, (uint64_t)i * log->record_size)};
		struct vnbl_port at;

		if (type_read(sh->target, map, d.addr, &d.record) != 0 || d.record.number == 0)
			continue;
		at = port_of(&d);
		n += vnbl_ports_same(port, &at);
	}
	return n;
}

// Gives the number of rows.
static unsigned list_log(struct shell *sh, const struct drops_log *log,
			 const struct vnbl_choice *choice, const struct vnbl_ports *ports)
{
	unsigned rows = 0, lost = 0;
	struct why why;
	uint64_t n;

	if (read_counter(sh, log->n, &n, &why) != 0) {
		walk_trouble(sh, "    ", "DROPLOG", log->n, &why);
		return 1;
	}
	for (uint64_t i = 0; i < log->n_records && i < n; i++) {
		struct drop d = {.log = log, .number = n - i};
		struct vnbl_port at;
		int err;

		d.at = (uint32_t)((d.number - 1) % log->n_records);
		d.addr = tgt_add(log->records, (uint64_t)d.at * log->record_size);
		err = drop_read(sh, &d, &why);
		at = port_of(&d);
		if (err == -EAGAIN) {
			lost++;
		} else if (err != 0) {
			walk_trouble(sh, "    ", "VNBL", d.addr, &why);
			rows++;
		} else if (choice->port.at.v == 0 || vnbl_ports_same(&choice->port, &at)) {
			list_row(sh, &d, ports);
			rows++;
		}
	}
	if (lost > 0)
		print_note("    ", "%u more of proc %u were being written over", lost,
			   log->proc_number);
	return rows + lost;
}

static void list_row(struct shell *sh, const struct drop *d, const struct vnbl_ports *ports)
{
	double age;

	print_cell("VNBL");
	print_cell_addr(d->addr);
	print_cell_fmt("%u", d->log->proc_number);
	print_cell_fmt("%lu", d->number);
	if (age_of(sh, d->record.tsc, &age)) {
		print_cell(print_duration(age).s);
		print_extra("age_s", "%f", age);
	} else {
		print_cell_absent("[Not known]");
	}
	print_cell_fmt("%u", d->record.frame_size);
	list_port(sh, d, ports);
	print_cell(direction_name(d->record.direction));
	print_cell(name_drop(d->record.reason));
	vnbl_print_labels(&d->bytes);
	print_row_end(false);
}

// Two cells.
static void list_port(struct shell *sh, const struct drop *d, const struct vnbl_ports *ports)
{
	const struct vnbl_port at = port_of(d);
	struct text name = {.s = ""};

	if (vnbl_ports_find(sh, ports, &at, &name)) {
		print_cell_addr(at.at);
		print_cell_text(name);
	} else {
		print_cell_absent("[Gone]");
		print_append(&name, "id 0x%04x", d->record.at_id);
		print_cell_absent(name.s);
	}
	print_extra("port_id", "0x%04x", d->record.at_id);
}

// That it was charged to.
static struct vnbl_port port_of(const struct drop *d)
{
	return (struct vnbl_port){
		.at = tgt_ptr(d->record.at), .serial = d->record.at_serial, .id = d->record.at_id};
}

// By its address: whichever frame it holds now.
static int drop_read_at(struct shell *sh, struct drop *d, uint64_t *x_n, struct why *why)
{
	int err = read_counter(sh, tgt_add(d->addr, d->log->number_at), &d->number, why);

	if (err == 0)
		err = read_counter(sh, d->log->n, x_n, why);
	if (err != 0)
		return err;
	if (d->number == 0 && *x_n <= d->at)
		return why_set(why, -ENOENT, "%016lx holds no frame: it was not used yet",
			       d->addr.v);
	if (d->number == 0)
		return why_set(why, -EAGAIN, "%016lx is just being written over", d->addr.v);
	if (d->number > *x_n || (d->number - 1) % d->log->n_records != d->at)
		return why_set(why, -EAGAIN,
			       "%016lx is damaged: it is number %lu, but its proc dropped %lu "
			       "frames in all",
			       d->addr.v, d->number, *x_n);
	return drop_read(sh, d, why);
}

// -EAGAIN: it is not there any more, or is just being written. Always with 'why'.
static int drop_read(struct shell *sh, struct drop *d, struct why *why)
{
	const struct type_map *map;
	struct why later;
	uint64_t number;
	int err = shell_map(sh, "droplog_record", sizeof(d->record), &map, why);

	if (err != 0)
		return err;
	err = type_read(sh->target, map, d->addr, &d->record);
	if (err != 0)
		return why_set(why, err, "%016lx cannot be read: %s", d->addr.v,
			       tgt_strerror(sh->target, err));
	err = check_number(d, d->record.number, why);
	if (err == 0)
		err = check_record(d, why);
	if (err == 0)
		read_bytes(sh, d);
	// What is said by a record that was written over meanwhile is neither right nor wrong.
	if (read_counter(sh, tgt_add(d->addr, d->log->number_at), &number, &later) == 0 &&
	    number != d->record.number)
		return why_set(why, -EAGAIN, "%016lx is just being written over", d->addr.v);
	return err;
}

static void read_bytes(struct shell *sh, struct drop *d)
{
	tgt_addr at = tgt_add(d->log->bytes, (uint64_t)d->at * d->log->bytes_size);

	d->bytes.n = d->record.n_bytes;
	d->bytes.safe_size = d->record.safe_size;
	d->bytes.err = -ENODATA;
	if (!sh->collects)
		d->bytes.err = tgt_read(sh->target, at, d->bytes.at, d->bytes.n);
	if (d->bytes.err != 0)
		d->bytes.n = 0;
}

static int read_counter(struct shell *sh, tgt_addr addr, uint64_t *ret, struct why *why)
{
	int err = TGT_READ(sh->target, addr, ret);

	if (err != 0)
		return why_set(why, err, "%016lx cannot be read: %s", addr.v,
			       tgt_strerror(sh->target, err));
	return 0;
}

// A later frame may have taken its place; what is in a dump of a process that ran, too.
static int check_number(const struct drop *d, uint64_t number, struct why *why)
{
	if (number == d->number)
		return 0;
	if (number == 0 || (number > d->number && (number - d->number) % d->log->n_records == 0))
		return why_set(why, -EAGAIN, "%016lx is just being written over", d->addr.v);
	return why_set(why, -EINVAL, "%016lx is damaged: it is number %lu in the place of %lu",
		       d->addr.v, number, d->number);
}

static int check_record(const struct drop *d, struct why *why)
{
	const struct droplog_record *r = &d->record;

	if (r->n_bytes > d->log->bytes_size || r->n_bytes > sizeof(d->bytes.at) ||
	    r->n_bytes > r->safe_size)
		return why_set(why, -EINVAL,
			       "%016lx is damaged: it has %u of %u bytes, of %u at most", d->addr.v,
			       r->n_bytes, r->safe_size, d->log->bytes_size);
	if (r->direction >= DROP_DIRECTIONS || r->reason >= DROP_COUNT)
		return why_set(why, -EINVAL, "%016lx is damaged: direction %u, reason %u",
			       d->addr.v, r->direction, r->reason);
	return 0;
}

static void drop_detail(struct shell *sh, const struct drop *d, const struct vnbl_ports *ports)
{
	const struct droplog_record *r = &d->record;
	const struct vnbl_port at = port_of(d);

	print_section("DROPPED");
	clock_print(sh);
	print_time(sh, r->tsc);
	print_port(sh, ports, "vPort", &at);
	print_values("Direction", ". -", "%s: %s", direction_name(r->direction),
		     r->direction == DROP_IN ? "from the vNic to the switch"
					     : "from the switch to the vNic");
	print_values("Reason", "number name text", "%u (%s): %s", r->reason, name_drop(r->reason),
		     name_drop_text(r->reason));

	print_section("FORWARDING CONTEXT");
	print_row("SourcePortId", "0x%04x", r->src_port_id);
	print_source(sh, ports, d);
	vnbl_print_context(r->src_nic_index, r->flags, r->safe_size, r->frame_size);
	print_absent("NumDestinations", "[Not kept]");
	vnbl_print_out_of_band(r->flags, r->vlan_tci, r->vlan_tpid, &r->offload);

	print_section("DATA");
	print_values("Safe bytes", "kept of address", "%u of %u kept at %016lx", r->n_bytes,
		     r->safe_size, d->log->bytes.v + (uint64_t)d->at * d->log->bytes_size);
	print_values("Pieces", "number", "%u, not kept", r->n_pieces);
}

// When it was, by the clock and from now.
static void print_time(struct shell *sh, uint64_t tsc)
{
	const struct vsw_root *root = sh->root;
	int64_t when;
	double age;

	if (root->tsc_hz == 0 || root->start_s == 0 || tsc < root->start_tsc) {
		print_absent("When", "[Not known]");
	} else {
		when = root->start_s + (int64_t)((tsc - root->start_tsc) / root->tsc_hz);
		print_row("When", "%s", print_wall_clock(when).s);
		print_extra("when_unix_s", "%ld", when);
	}
	if (age_of(sh, tsc, &age)) {
		print_row("Age", "%s", print_duration(age).s);
		print_extra("age_s", "%f", age);
	} else {
		print_absent("Age", "[Not known]");
	}
}

static void print_port(struct shell *sh, const struct vnbl_ports *ports, const char *label,
		       const struct vnbl_port *port)
{
	struct text name, key = {.s = ""};

	if (vnbl_ports_find(sh, ports, port, &name)) {
		print_port_there(label, port->at, &name);
		return;
	}
	print_append(&key, "%s gone", label);
	print_values(label, "- -", "[Gone]: id 0x%04x, was at %016lx", port->id, port->at.v);
	print_extra(key.s, "%016lx", port->at.v);
}

static void print_port_there(const char *label, tgt_addr at, const struct text *name)
{
	struct text key = {.s = ""};

	print_append(&key, "%s name", label);
	print_values(label, ". - -", "%016lx   !nvkd.vport %016lx (%s)", at.v, at.v, name->s);
	print_extra(key.s, "%s", name->s);
}

// One that came over from another proc has kept the id alone.
static void print_source(struct shell *sh, const struct vnbl_ports *ports, const struct drop *d)
{
	const struct droplog_record *r = &d->record;
	const struct vnbl_port source = {
		.at = tgt_ptr(r->src_port), .serial = r->src_serial, .id = r->src_port_id};
	const struct vnbl_port at = port_of(d);
	struct text name;
	tgt_addr found;

	if (source.at.v != 0)
		print_port(sh, ports, "Source vPort", &source);
	else if (source.id != 0 && vnbl_ports_find_id(sh, ports, &at, source.id, &found, &name))
		print_port_there("Source vPort", found, &name);
	else
		print_absent("Source vPort", "[Not known]: it came from another proc");
}

static const char *direction_name(unsigned direction)
{
	return direction == DROP_IN ? "In" : "Out";
}

// In seconds. False: it is not known.
static bool age_of(const struct shell *sh, uint64_t tsc, double *ret)
{
	*ret = clock_seconds_ago(sh, tsc);
	return tsc != 0 && sh->root->tsc_hz != 0;
}
