# shellcheck shell=bash
#
# A vswd of another version, made of the sources with changed headers. Needs $T for files,
# $tests and fail(). Fields are moved, added, widened and renamed, in all that the shell reads.

: "${T:?}" "${tests:?}"

# field HOW FILE STRUCT FIELD: changes one struct. 'add': something new at its beginning, where it
# has an object's header behind that; 'move': the field to its end; 'remove': away with it.
field() {
	local file=$T/source/$2
	cp "$file" "$T/before"
	perl -0777 -pi -e '
		BEGIN { ($how, $struct, $field) = splice(@ARGV, 0, 3) }
		s{(\nstruct \Q$struct\E \{\n)(.*?)(\n\};)}{
			my ($begin, $fields, $end) = ($1, "$2\n", $3);
			if ($how eq "add") {
				$fields =~ s/^(\tstruct (?:object obj|vnic nic);[^\n]*\n)?/($1 \/\/ "") . "\t$field;\n"/e;
			} else {
				$fields =~ s/^(\t[^\n\/]*\b\Q$field\E\)?(?:\[\w+\])?;[^\n]*\n)//m;
				$fields .= $1 if $how eq "move" && defined $1;
			}
			chomp $fields;
			$begin . $fields . $end;
		}se' "$1" "$3" "$4" "$file"
	! cmp -s "$file" "$T/before" || fail "struct $3 is as it was: $1 $4"
}

# change FILE EXPRESSION: any other change.
change() {
	cp "$T/source/$1" "$T/before"
	sed -i "$2" "$T/source/$1"
	! cmp -s "$T/source/$1" "$T/before" || fail "$1 is as it was after $2"
}

# Fields that are gone; the shell has to miss them and no others. Two are in structs that are in others.
missing="fdb.evicted guard.router nic.retries proc.timed_sleeps vport.created_s"

change_headers() {
	change meson.build "s/^  version: '.*'/  version: '0.0.9'/"

	change ports/object_types.h 's/OBJECT_NAME_SIZE = 80/OBJECT_NAME_SIZE = 100/'
	field move ports/object_types.h object type
	field move ports/object_types.h object size

	field add ports/vport_types.h vport 'uint64_t new_field[3]'
	field move ports/vport_types.h vport id
	field move ports/vport_types.h vport state
	field move ports/vport_types.h vport policy
	change ports/vport_types.h 's/^\tuint16_t id;/\tuint32_t id;/'
	field remove ports/vport_types.h vport created_s
	change ports/vport.c '/port->created_s = /d'
	field add ports/vport_types.h vport_stats 'alignas(64) uint64_t new_field'

	field add ports/vnic_types.h vnic 'uint8_t new_field[40]'
	field move ports/vnic_types.h vnic state
	field move ports/vnic_types.h vnic path
	change ports/vnic_types.h 's/VNIC_WHY_SIZE = 160/VNIC_WHY_SIZE = 200/'
	change ports/vnic_types.h 's/^\tuint32_t retries;/\tuint32_t tries;/'
	change ports/vnic.c 's/->retries/->tries/'
	change switch/ctl_show.c 's/->retries/->tries/'
	field add ports/vhost_types.h vhost 'uint64_t new_field'
	field move ports/vhost_types.h vhost phase
	field add ports/vhost_types.h vhost_ring 'uint64_t new_field'
	field move ports/vring_types.h virtq avail
	field move ports/vring_types.h virtq size
	field move ports/vring_types.h virtq last_used
	field add ports/guest_mem_types.h guest_region 'uint64_t new_field'

	change ports/vnbl_types.h 's/VNBL_BURST_MAX = 32/VNBL_BURST_MAX = 24/'
	change ports/vnbl_types.h 's/^\tuint8_t flags;/\tuint8_t new_field;\n&/'
	field move ports/vnbl_types.h vnbl pieces
	change ports/droplog_types.h 's/DROPLOG_RECORDS = 64/DROPLOG_RECORDS = 32/'
	change ports/droplog_types.h 's/DROPLOG_BYTES = 128/DROPLOG_BYTES = 96/'
	field add ports/droplog_types.h droplog_record 'uint64_t new_field'
	field move ports/droplog_types.h droplog_record reason

	field add switch/proc_types.h proc 'uint32_t new_field'
	field move switch/proc_types.h proc tid
	field move switch/proc_types.h proc frames
	field move switch/proc_types.h proc copy_name
	change switch/proc_types.h 's/^\tuint64_t timed_sleeps;/\tuint64_t timed_naps;/'
	change switch/proc.c 's/->timed_sleeps/->timed_naps/'
	change switch/ctl_proc.c 's/->timed_sleeps/->timed_naps/'
	field add switch/proc_types.h proc_conf 'uint64_t new_field'
	field add switch/proc_types.h proc_rxq 'uint64_t new_field'

	field add switch/policy_types.h policy 'uint32_t new_field[5]'
	field move switch/policy_types.h policy storm_fps
	field move switch/policy_types.h policy n_macs
	field move switch/vlan_types.h vlan_rules own
	field move switch/guard_types.h guard_rules n_addresses
	change switch/guard_types.h 's/^\tuint8_t router;/\tuint8_t routers;/'
	change switch/policy_make.c 's/guard->router =/guard->routers =/'
	change switch/guard.c 's/g->router /g->routers /'
	field add switch/guard_types.h guard_address 'uint32_t new_field'

	field add switch/vswitch_types.h vswitch 'uint16_t new_field'
	field move switch/vswitch_types.h vswitch n_ports
	field move switch/vswitch_types.h mopen vswitch
	field move switch/vswitch_types.h miniport state
	field add switch/fdb_types.h fdb 'uint64_t new_field'
	change switch/fdb_types.h 's/^\t_Atomic uint64_t evicted;/\t_Atomic uint64_t thrown_out;/'
	change switch/fdb_ctl.c 's/to->evicted, FDB_GET(from->evicted)/to->thrown_out, FDB_GET(from->thrown_out)/'
	change switch/fdb_move.c 's/fdb->evicted/fdb->thrown_out/'
	change switch/ctl_show_fdb.c 's/COUNTER(evicted)/COUNTER(thrown_out)/'
	field move switch/fdb_types.h fdb buckets
	field add switch/fdb_types.h fdb_port 'uint64_t new_field'
	field move switch/root_types.h vsw_root n_procs
	field move switch/root_types.h vsw_root start_s
	change switch/root_types.h 's/^\tchar version\[32\];/\tchar new_field[100];\n\tchar version[64];/'
}

# build_altered: the program is $T/altered/switch/vswd then.
build_altered() {
	mkdir "$T/source"
	cp -r "$tests"/../{meson.build,meson_options.txt,ports,qos,vmq,switch} "$T/source"
	sed -i "/^subdir('\(debugshell\|bench\|tests.*\)')/d" "$T/source/meson.build"
	change_headers
	{
		meson setup --buildtype plain -Doptimization=0 -Dtests=disabled -Dwerror=false \
			"$T/altered" "$T/source" && ninja -C "$T/altered" switch/vswd
	} >"$T/build.log" 2>&1 || fail "the altered vswd cannot be built"
}
