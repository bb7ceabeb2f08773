#include "vmq/place.h"

int place_new_queue(const uint32_t n_rxqs[], unsigned n_procs)
{
	int best = PLACE_NONE;

	for (unsigned i = 0; i < n_procs; i++) {
		if (best == PLACE_NONE || n_rxqs[i] < n_rxqs[best])
			best = (int)i;
	}
	return best;
}
