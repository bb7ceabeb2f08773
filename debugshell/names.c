#include "debugshell/names.h"

#include "ports/drops.h"
#include "ports/object_types.h"
#include "ports/vhost_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"
#include "switch/acl_types.h"
#include "switch/conntrack_types.h"
#include "switch/proc_types.h"
#include "switch/vlan_types.h"
#include "switch/vswitch_types.h"
#include "vmq/vmq_types.h"

#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return text;

#define NAME_FUNCTION(function, TABLE)                                                             \
	const char *function(unsigned number)                                                      \
	{                                                                                          \
		switch (number) {                                                                  \
			TABLE(X)                                                                   \
		default:                                                                           \
			return "?";                                                                \
		}                                                                                  \
	}

NAME_FUNCTION(name_vport_type, VPORT_TYPES)
NAME_FUNCTION(name_vport_state, VPORT_STATES)
NAME_FUNCTION(name_monitor_mode, VPORT_MONITOR_MODES)
NAME_FUNCTION(name_vlan_mode, VLAN_MODES)
NAME_FUNCTION(name_vnic_kind, VNIC_KINDS)
NAME_FUNCTION(name_vnic_state, VNIC_STATES)
NAME_FUNCTION(name_protocol_state, VSWITCH_PROTOCOL_STATES)
NAME_FUNCTION(name_miniport_state, VSWITCH_MINIPORT_STATES)
NAME_FUNCTION(name_proc_stage, PROC_STAGES)
NAME_FUNCTION(name_drop_text, DROP_REASONS)
NAME_FUNCTION(name_vhost_use, VHOST_USES)
NAME_FUNCTION(name_virtq_break, VIRTQ_BREAKS)
NAME_FUNCTION(name_acl_kind, ACL_KINDS)
NAME_FUNCTION(name_acl_direction, ACL_DIRECTIONS)
NAME_FUNCTION(name_acl_action, ACL_ACTIONS)
NAME_FUNCTION(name_conntrack_state, CONNTRACK_STATES)
NAME_FUNCTION(name_vmq_reason, VMQ_REASONS)
#undef X

// These two tables have another order of columns, or give the name instead of the text.
#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return #name;
NAME_FUNCTION(name_drop, DROP_REASONS)
#undef X

#define X(name, number, text)                                                                      \
	case number:                                                                               \
		return text;
NAME_FUNCTION(name_object_type, OBJECT_TYPES)
#undef X
