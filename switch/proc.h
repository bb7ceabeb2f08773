/*
 * Procs: start, stop, and give them receive queues.
 *
 * A proc polls its queues as long as frames come. When none come it first pauses between
 * rounds, then asks every queue for a wake-up and sleeps; queues that cannot wake it make
 * that a timed sleep. See proc.c for the loop.
 *
 * What a burst owes (vnic_settle) is paid, and a quiescent state passed, every few bursts.
 *
 * Threads: main thread, but proc_wake() and proc_rcu().
 */
#pragma once

#include "ports/errtext.h"
#include "switch/proc_types.h"

struct rte_rcu_qsbr;

// Bursts of a busy proc between two calls of vnic_settle(); an idle one settles every round.
enum { PROC_SETTLE_BURSTS = 8 };

// Makes the RCU state that procs and ports share. Before ports_init(). -ENOMEM.
int proc_init(void);
void proc_fini(void);

struct rte_rcu_qsbr *proc_rcu(void);

/**
 * Starts one proc per core. -EINVAL: a core does not exist or is not ours to use, -ENOMEM.
 */
int proc_start_all(const unsigned cores[], unsigned n_cores, bool poll_always, struct errtext *e);

// Ends all procs and frees them. No queue may be given to them any more.
void proc_stop_all(void);

// The clock of all procs: seconds since vswd started. After proc_start_all(). Any thread.
uint32_t proc_now_s(void);

unsigned proc_count(void);
struct proc *proc_at(unsigned number);

/**
 * Gives a NIC's receive queue to the proc with the fewest, or takes it away; both wait for a
 * grace period. After proc_remove_rxq() no proc touches the NIC's receive side.
 */
int proc_add_rxq(const struct proc_rxq *rxq, struct errtext *e);
void proc_remove_rxq(struct vnic *nic, uint16_t queue);

// Wakes a proc if it sleeps. Any thread, never blocks.
void proc_wake(unsigned number);

// Returns when every proc has passed a quiescent state. Not from a proc.
void proc_synchronize(void);
