/*
 * Names every struct, and every enum, that a debugger may want to look at, once. This file makes no
 * code: it is compiled for its type data alone, which btf_embed.sh puts into the program.
 */
#include "ports/droplog_types.h"
#include "ports/eth_types.h"
#include "ports/guest_mem_types.h"
#include "ports/object_types.h"
#include "ports/packet_types.h"
#include "ports/pcap_types.h"
#include "ports/tap_types.h"
#include "ports/vhost_types.h"
#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"
#include "ports/vring_types.h"
#include "switch/acl_types.h"
#include "switch/btf_types.h"
#include "switch/conf_types.h"
#include "switch/conntrack_types.h"
#include "switch/fdb_types.h"
#include "switch/guard_learn_types.h"
#include "switch/policy_types.h"
#include "switch/proc_types.h"
#include "switch/root_types.h"
#include "switch/vswitch_types.h"
#include "vmq/vmq_types.h"

// Some compilers (gcc 12) write the dimensions of an array the wrong way round. A reader sees
// by this struct whether they are: the outer dimension is 2.
struct vsw_btf_probe {
	char outer2[2][3];
};

union vsw_types {
	// ports
	struct capture *capture;
	struct droplog *droplog;
	struct droplog_record *droplog_record;
	struct eth *eth;
	struct guest_mem *guest_mem;
	struct guest_region *guest_region;
	struct object *object;
	struct packet *packet;
	struct pcap_nic *pcap_nic;
	struct replay *replay;
	struct replay_record *replay_record;
	struct tap *tap;
	struct vhost *vhost;
	struct vhost_ring *vhost_ring;
	struct virtq *virtq;
	struct virtq_avail *virtq_avail;
	struct virtq_desc *virtq_desc;
	struct virtq_used *virtq_used;
	struct virtq_used_elem *virtq_used_elem;
	struct vnbl *vnbl;
	struct vnbl_burst *vnbl_burst;
	struct vnbl_offload *vnbl_offload;
	struct vnbl_piece *vnbl_piece;
	struct vnic *vnic;
	struct vnic_rxq *vnic_rxq;
	struct vnic_txq *vnic_txq;
	struct vport *vport;
	struct vport_stats *vport_stats;

	// switch
	struct acl *acl;
	struct acl_address *acl_address;
	struct acl_count *acl_count;
	struct acl_mac *acl_mac;
	struct acl_ports *acl_ports;
	struct acl_rule *acl_rule;
	struct acl_side *acl_side;
	struct acl_tables *acl_tables;
	struct conf *conf;
	struct conf_port *conf_port;
	struct conf_switch *conf_switch;
	struct conntrack *conntrack;
	struct conntrack_bucket *conntrack_bucket;
	struct conntrack_entry *conntrack_entry;
	struct conntrack_key *conntrack_key;
	struct fdb *fdb;
	struct fdb_bucket *fdb_bucket;
	struct fdb_entry *fdb_entry;
	struct fdb_owners *fdb_owners;
	struct fdb_port *fdb_port;
	struct guard_address *guard_address;
	struct guard_learn *guard_learn;
	struct guard_learned *guard_learned;
	struct guard_rules *guard_rules;
	struct miniport *miniport;
	struct mopen *mopen;
	struct policy *policy;
	struct proc *proc;
	struct proc_conf *proc_conf;
	struct proc_rxq *proc_rxq;
	struct vlan_fids *vlan_fids;
	struct vlan_rules *vlan_rules;
	struct vlan_set *vlan_set;
	struct vsw_root *vsw_root;
	struct vswitch *vswitch;
	struct vswitch_map *vswitch_map;
	struct vswitch_mirror *vswitch_mirror;
	struct vswitch_mirrors *vswitch_mirrors;

	// vmq
	struct vmq_move *vmq_move;
	struct vmq_moves *vmq_moves;

	struct vsw_btf_probe *vsw_btf_probe;

	// Fields of these are plain integers, which a debugger shows by name all the same.
	enum acl_action *acl_action;
	enum acl_direction *acl_direction;
	enum acl_family *acl_family;
	enum acl_kind *acl_kind;
	enum conf_switch_type *conf_switch_type;
	enum conntrack_state *conntrack_state;
	enum drop_direction *drop_direction;
	enum drop_reason *drop_reason;
	enum guard_learn_phase *guard_learn_phase;
	enum object_type *object_type;
	enum proc_stage *proc_stage;
	enum vhost_phase *vhost_phase;
	enum vhost_use *vhost_use;
	enum vlan_mode *vlan_mode;
	enum virtq_break *virtq_break;
	enum virtq_direction *virtq_direction;
	enum vmq_reason *vmq_reason;
	enum vnic_kind *vnic_kind;
	enum vnic_state *vnic_state;
	enum vport_monitor_mode *vport_monitor_mode;
	enum vport_state *vport_state;
	enum vport_type *vport_type;
	enum vswitch_miniport_state *vswitch_miniport_state;
	enum vswitch_protocol_state *vswitch_protocol_state;
};

extern union vsw_types vsw_types;
union vsw_types vsw_types;
