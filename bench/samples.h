/*
 * Samples of a comparison: one JSON object per line, one measured number each.
 *
 *   {"round":1,"switch":"vsw","point":"64","metric":"rate","value":31.2,"unit":"Mpps",
 *    "better":"higher","disturbed":false}
 *
 * A round measures every switch at every point once, so the numbers of one round belong together
 * (pairs). "unit", "better" ("higher" or "lower") and "disturbed" (others kept switch or generator
 * from running) may be missing, other keys are ignored. What is measured again in the same round
 * replaces what was there, unless only the new one is disturbed.
 *
 * The lines come from whoever writes a file: all is checked.
 *
 * Threads: belongs to its caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SAMPLES_MAX_NAMES 1000u // switches, points, metrics
#define SAMPLES_NAME_SIZE 100u  // bytes of a name with its zero

struct samples_error {
	char text[256];
};

struct sample {
	unsigned metric, point, sw; // indices of the names
	int64_t round;
	size_t order; // of the lines
	double value; // finite
	bool disturbed;
};

// A switch, a metric or a point.
struct samples_name {
	char *name;
	// Of a metric.
	char *unit; // NULL: none given
	bool lower_better;
	bool better_given; // else by its name
	// Of a point.
	double x; // see samples_init(); NAN: none
};

struct samples_names { // in the order of their first lines
	struct samples_name *list;
	unsigned n;
};

struct samples {
	const char *x_key;
	struct sample *all;
	size_t n, room;
	struct samples_names switches, metrics, points;
};

/**
 * 'x_key' (borrowed; NULL: none) names what a point's x is: the number under that key, which must
 * be the same in all samples of the point, or, when the key is missing, the number in the point's
 * own name: "64,macs=100" has a size of 64 and 100 macs.
 */
void samples_init(struct samples *s, const char *x_key);
void samples_fini(struct samples *s);

/**
 * Takes one line, without its newline; a blank one is nothing. -EINVAL: *e says what is wrong with
 * it, -ENOMEM; then nothing is taken of it but names.
 */
int samples_add(struct samples *s, const char *line, size_t size, struct samples_error *e);

/**
 * Takes all lines of a file and sorts them. *e begins with 'name' and the number of the line that
 * is wrong. -EINVAL, -ENOMEM, or what reading said; -ENODATA: there is no sample in it.
 */
int samples_read(struct samples *s, FILE *f, const char *name, struct samples_error *e);

/** After samples_add()s: sorts and forgets what was replaced. samples_read() does it itself. */
void samples_sort(struct samples *s);

/** Of sorted ones: those of one metric, point and switch, by round. NULL: none. */
const struct sample *samples_cell(const struct samples *s, unsigned metric, unsigned point,
				  unsigned sw, size_t *n_ret);

/** Index of a name, -1: there is none. */
int samples_find(const struct samples_names *names, const char *name);
