/*
 * What `vnic` shows of one kind of NIC beyond what all kinds have, and what others show of its
 * queues as it does.
 */
#pragma once

#include "debugshell/shell.h"

struct vnic_rxq;

// Prints the sections of a NIC of 'kind' (enum vnic_kind); nothing for kinds without any.
void cmd_vnic_print_kind(struct shell *sh, tgt_addr addr, unsigned kind);

// A cell: the core that a receive queue is pinned to, or none.
void cmd_vnic_print_pinned(const struct vnic_rxq *rxq);
