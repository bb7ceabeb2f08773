/*
 * What two samples tell: tables of rates per second, to be shown and sorted. Nothing here reads a
 * target or a clock: the time between two samples is that between the moments in them.
 *
 * An object of the earlier sample is the same as one of the later when address and identity are
 * the same and no counter has gone backwards; else it is a new one, which has no rates yet.
 */
#pragma once

#include "debugshell/top_sample.h"

enum top_table_id { TOP_PORTS, TOP_PROCS, TOP_QUEUES, TOP_DROPS, TOP_TABLES };

enum top_port_column {
	TOP_PORT_NAME,
	TOP_PORT_TYPE,
	TOP_PORT_NIC,
	TOP_PORT_RX_FRAMES,
	TOP_PORT_TX_FRAMES,
	TOP_PORT_RX_MBIT,
	TOP_PORT_TX_MBIT,
	TOP_PORT_DROPS_IN,
	TOP_PORT_DROPS_OUT,
	TOP_PORT_REASON, // what most of its drops were
	TOP_PORT_COLUMNS
};

enum top_proc_column {
	TOP_PROC_NUMBER,
	TOP_PROC_CORE,
	TOP_PROC_STAGE,
	TOP_PROC_BUSY, // percent of the time
	TOP_PROC_FRAMES,
	TOP_PROC_BURSTS,
	TOP_PROC_PER_BURST,
	TOP_PROC_LOOPS,
	TOP_PROC_SLEEPS,
	TOP_PROC_QUEUES,
	TOP_PROC_COLUMNS
};

enum top_queue_column {
	TOP_QUEUE_NAME,
	TOP_QUEUE_DIRECTION,
	TOP_QUEUE_INDEX,
	TOP_QUEUE_PROC,
	TOP_QUEUE_BURSTS,
	TOP_QUEUE_CHAINS,
	TOP_QUEUE_INTERRUPTS,
	TOP_QUEUE_KICKS,
	TOP_QUEUE_COLUMNS
};

// Drops of all ports.
enum top_drop_column {
	TOP_DROP_DIRECTION,
	TOP_DROP_FRAMES,
	TOP_DROP_REASON,
	TOP_DROP_MEANING,
	TOP_DROP_COLUMNS
};

enum { TOP_COLUMNS_MAX = TOP_PORT_COLUMNS };

// A word, or a number when 'word' is NULL; NAN: there is none.
struct top_value {
	const char *word;
	double number;
};

struct top_row {
	struct top_value v[TOP_COLUMNS_MAX];
	uint32_t order;
};

struct top_table {
	uint32_t n;
	struct top_row *rows; // n + 1
};

// Of all ports that are in both samples, per second.
struct top_totals {
	double rx_frames;
	double rx_mbit;
	double tx_frames;
	double tx_mbit;
	double drops;
};

struct top_rates {
	double seconds; // counted for; 0: there are no rates
	struct top_totals totals;
	struct top_table tables[TOP_TABLES];
};

/**
 * Gives the rates, to be freed with top_rates_free(). There are none without 'before', without
 * time between the two, and when the process did not run in one of them. The words in the tables
 * are those of 'now', which must stay. -ENOMEM.
 */
int top_rate(const struct top_sample *before, const struct top_sample *now, struct top_rates **ret);
void top_rates_free(struct top_rates *rates);

// Rows without a value come last in either order; equal ones stay as they were sampled.
void top_sort(struct top_table *table, unsigned column, bool ascending);
