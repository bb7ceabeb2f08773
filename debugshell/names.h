/*
 * Words for the numbers in a switch's objects, as their own headers have them; "?" for a number
 * that has none.
 */
#pragma once

const char *name_object_type(unsigned number);
const char *name_vport_type(unsigned number);
const char *name_vport_state(unsigned number);
const char *name_monitor_mode(unsigned number);
const char *name_vlan_mode(unsigned number);
const char *name_vnic_kind(unsigned number);
const char *name_vnic_state(unsigned number);
const char *name_protocol_state(unsigned number);
const char *name_miniport_state(unsigned number);
const char *name_proc_stage(unsigned number);
const char *name_drop(unsigned number);
const char *name_drop_text(unsigned number);
const char *name_vhost_use(unsigned number);
const char *name_virtq_break(unsigned number);
const char *name_acl_kind(unsigned number);
const char *name_acl_direction(unsigned number);
const char *name_acl_action(unsigned number);
const char *name_conntrack_state(unsigned number);
const char *name_vmq_reason(unsigned number);
