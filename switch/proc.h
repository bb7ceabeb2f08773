/*
 * Procs: start, stop, and give them receive queues.
 *
 * A proc polls its queues as long as frames come. When none come it first pauses between
 * rounds, then asks every queue for a wake-up and sleeps; queues that cannot wake it make
 * that a timed sleep. See proc.c for the loop, proc_ctl.c for what is done to it, proc_rxq.c
 * for its queues.
 *
 * What a burst owes (vnic_settle) is paid, and a quiescent state passed, every few bursts.
 *
 * Procs come and go while others run. Their numbers are below PROC_MAX and may have holes; a
 * new proc takes the lowest that is free. What a proc that is gone has counted stays in the
 * ports' statistics, where the next of its number goes on.
 *
 * Threads: main thread, but proc_wake(), proc_rcu() and proc_run().
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

/**
 * Starts one more proc, which takes over the queues that are pinned to its core. Returns its
 * number. -EINVAL: no core of ours, -EEXIST: another proc has it, -ENOSPC: there are PROC_MAX,
 * -ENOMEM. After proc_start_all().
 */
int proc_add(unsigned core, struct errtext *e);

/**
 * Gives the proc's queues to those with the fewest, ends it and frees it. -ENOENT: there is no
 * such proc, -EBUSY: it is the last, -ENOSPC: the others cannot take its queues, -ENOMEM.
 */
int proc_remove(unsigned number, struct errtext *e);

// The clock of all procs: seconds since vswd started. After proc_start_all(). Any thread.
uint32_t proc_now_s(void);

// How many there are.
unsigned proc_count(void);

// The one of this number, or NULL; any number may be asked for.
struct proc *proc_at(unsigned number);

// The one on this core, or NULL.
struct proc *proc_on_core(unsigned core);

/**
 * Gives a NIC's receive queue to the proc on the core that it is pinned to, else to the proc
 * with the fewest, or takes it away; both wait for a grace period. After proc_remove_rxq() no
 * proc touches the NIC's receive side.
 */
int proc_add_rxq(const struct proc_rxq *rxq, struct errtext *e);
void proc_remove_rxq(struct vnic *nic, uint16_t queue);

struct proc_move {
	struct vnic *nic;
	uint16_t queue;
	uint16_t to; // number of a proc
};

/**
 * Gives queues that procs have to other procs, all or none. Frames may come all the while: none
 * is lost and none overtakes another of its queue. -ENOENT: no such proc, -EINVAL: the queue is
 * given to none, -ENOSPC: the proc has PROC_RXQS_MAX, -ENOMEM.
 */
int proc_move_rxqs(const struct proc_move moves[], unsigned n, struct errtext *e);
int proc_move_rxq(struct vnic *nic, uint16_t queue, unsigned to, struct errtext *e);

// Moves every queue that is pinned to a core with a proc, and not there, to that proc.
int proc_move_pinned(struct errtext *e);

// Wakes a proc if it sleeps; nothing happens when there is none. Any thread, never blocks.
void proc_wake(unsigned number);

// Returns when every proc has passed a quiescent state. Not from a proc.
void proc_synchronize(void);

// A proc's life, until its 'stop' is set: what its thread runs. For proc_ctl.c.
void *proc_run(void *proc);

// An empty configuration with room for so many queues, and for what a proc sleeps on. NULL: no
// memory. For proc_*.c.
struct proc_conf *proc_conf_create(uint32_t room);

// Waits until the proc works by 'conf', which it was given just now. For proc_*.c.
void proc_wait_taken(const struct proc *p, const struct proc_conf *conf);
