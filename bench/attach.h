/*
 * Connecting to the switch, and what to say when that fails: each way to fail has its sentence,
 * with the guest, its socket, and what is probably wrong.
 *
 * Threads: main thread.
 */
#pragma once

#include "bench/bench.h"
#include "ports/errtext.h"

/**
 * Connects all guests of b->gen, finds the switch's process, waits until each guest hears another
 * one, and teaches the switch all addresses. 0; -ECANCELED: Ctrl-C; else 'e' says what is wrong.
 */
int attach_switch(struct bench *b, struct errtext *e);

/** What an error in the middle of a test means. */
void attach_explain_loss(struct bench *b, int err, struct errtext *e);
