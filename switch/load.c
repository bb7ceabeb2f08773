#include "switch/load.h"

#include "ports/vnic.h"
#include "switch/proc.h"
#include "switch/root.h"

enum { LOAD_FULL = 1000 };

static void measure_proc(struct proc *p, uint64_t since, uint64_t now_tsc);
static void measure_queue(struct vnic_rxq *rxq, uint64_t tsc_hz, uint64_t passed);
static uint32_t per_second(uint64_t frames, uint64_t tsc_hz, uint64_t passed);
static uint32_t share(uint64_t busy_tsc, uint64_t passed);

static uint64_t seen_tsc;

void load_tick(uint64_t now_tsc)
{
	uint64_t since = seen_tsc != 0 ? seen_tsc : vsw_root.start_tsc;

	if (now_tsc <= since)
		return;
	for (unsigned i = 0; i < PROC_MAX; i++)
		if (proc_at(i) != NULL)
			measure_proc(proc_at(i), since, now_tsc);
	seen_tsc = now_tsc;
}

// A proc writes its figures all the time; those of one moment are a burst apart at most.
static void measure_proc(struct proc *p, uint64_t since, uint64_t now_tsc)
{
	const struct proc_conf *conf = atomic_load(&p->conf);
	uint64_t began = p->started_tsc > since ? p->started_tsc : since;
	uint64_t busy = p->busy_tsc, frames = p->frames;

	if (now_tsc > began) {
		p->load = share(busy - p->seen_busy_tsc, now_tsc - began);
		p->frames_s = per_second(frames - p->seen_frames, p->tsc_hz, now_tsc - began);
		p->seen_busy_tsc = busy;
		p->seen_frames = frames;
	}
	for (uint32_t i = 0; i < conf->n_rxqs; i++)
		measure_queue(&conf->rxqs[i].nic->rxq[conf->rxqs[i].queue], p->tsc_hz,
			      now_tsc - since);
}

static void measure_queue(struct vnic_rxq *rxq, uint64_t tsc_hz, uint64_t passed)
{
	uint64_t busy = rxq->busy_tsc, frames = rxq->frames;

	rxq->load = share(busy - rxq->seen_busy_tsc, passed);
	rxq->frames_s = per_second(frames - rxq->seen_frames, tsc_hz, passed);
	rxq->seen_busy_tsc = busy;
	rxq->seen_frames = frames;
}

static uint32_t per_second(uint64_t frames, uint64_t tsc_hz, uint64_t passed)
{
	return (uint32_t)((double)frames * (double)tsc_hz / (double)passed);
}

static uint32_t share(uint64_t busy_tsc, uint64_t passed)
{
	double load = (double)LOAD_FULL * (double)busy_tsc / (double)passed;

	return load < LOAD_FULL ? (uint32_t)load : LOAD_FULL;
}
