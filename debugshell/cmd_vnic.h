/*
 * What `vnic` shows of one kind of NIC beyond what all kinds have.
 */
#pragma once

#include "debugshell/shell.h"

// Prints the sections of a NIC of 'kind' (enum vnic_kind); nothing for kinds without any.
void cmd_vnic_print_kind(struct shell *sh, tgt_addr addr, unsigned kind);
