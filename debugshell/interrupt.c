#include "debugshell/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t came;
static struct sigaction before;
static bool is_on;

static void take_note(int number);

void interrupt_begin(void)
{
	// What is being written goes on, or its end would count as lost.
	struct sigaction action = {.sa_handler = take_note, .sa_flags = SA_RESTART};

	came = 0;
	is_on = sigaction(SIGINT, &action, &before) == 0;
}

bool interrupt_end(void)
{
	bool is = came != 0;

	if (is_on)
		sigaction(SIGINT, &before, NULL);
	is_on = false;
	came = 0;
	return is;
}

bool interrupt_seen(void)
{
	return came != 0;
}

static void take_note(int number)
{
	(void)number;
	came = 1;
}
