#include "bench/measure.h"

#include <errno.h>
#include <math.h>
#include <time.h>

// Ctrl-C is noticed so often.
#define PAUSE_STEP_S 0.05
#define BEHIND       0.9 // part of a rate that must have been offered

int measure_rate(struct bench *b, double part, double trial_s, double *pps_ret)
{
	const struct bench_options *asked = b->o;
	struct bench_options searching = *asked;
	double zero_loss, max;
	int err;

	if (asked->pps > 0) {
		*pps_ret = asked->pps;
		return 0;
	}
	// A trial of the search is not as long as the test itself.
	searching.seconds = trial_s;
	b->o = &searching;
	err = bench_zero_loss(b, false, &zero_loss, &max);
	b->o = asked;
	if (err < 0)
		return err;
	bench_clean_result(b, "zero_loss_mpps", "Highest rate", 1e-6 * zero_loss, "Mpps", 3);
	if (zero_loss <= 0)
		report_verdict(b->r, false,
			       "nothing goes through with so little loss: choose a rate with "
			       "--rate");
	*pps_ret = part * zero_loss;
	return 0;
}

double measure_offered_pps(const struct bench *b)
{
	return b->res.due > 0 ? (double)b->res.due / b->res.seconds : NAN;
}

bool measure_fell_behind(const struct bench *b, double pps)
{
	// A frame more or less is no matter in a short run.
	return (double)b->res.due < BEHIND * pps * b->res.seconds - 1;
}

double measure_us(const struct hist *h, double part)
{
	return h->n > 0 ? 1e-3 * (double)hist_percentile(h, part) : NAN;
}

double measure_mean_us(const struct hist *h)
{
	return h->n > 0 ? 1e-3 * hist_mean(h) : NAN;
}

double measure_percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : NAN;
}

int measure_pause(double seconds)
{
	double end_s = gen_now() + seconds;

	while (!atomic_load(&bench_interrupted)) {
		double left_s = end_s - gen_now();

		if (left_s <= 0)
			return 0;
		if (left_s > PAUSE_STEP_S)
			left_s = PAUSE_STEP_S;
		nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * left_s)}, NULL);
	}
	return -ECANCELED;
}
