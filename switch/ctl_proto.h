/*
 * What vswctl and vswd say to each other on RUN_DIR/ctl.sock.
 *
 *    vswctl                                    vswd
 *    request header, words  ------------->
 *                           <-------------     parts: data ..., then done or error
 *    next request           ------------->
 *
 * Both run on one machine, so numbers are in its byte order. A pipe for `pcap tx -` comes with
 * the header (SCM_RIGHTS).
 */
#pragma once

#include <stdint.h>

#define CTL_SOCKET "ctl.sock" // in RUN_DIR

enum {
	CTL_MAGIC = 0x31777376,   // "vsw1"
	CTL_PART_MAX = 256 * 1024 // bytes of one part
};

enum ctl_flags {
	CTL_JSON = 1 << 0, // the answer, errors included, is to be JSON
	CTL_LINE = 1 << 1  // the words are a line of a file, still to be split
};

struct ctl_request {
	uint32_t magic;
	uint32_t flags; // enum ctl_flags
	uint32_t size;  // bytes that follow: each word closed by a zero, or the line
};

enum ctl_part_type {
	CTL_DATA = 1,    // a piece of the answer, to be printed
	CTL_ERROR = 2,   // the command failed: the words why; ends the answer
	CTL_DONE = 3,    // ends the answer
	CTL_CAPTURE = 4, // the capture runs and lasts as long as this connection
	CTL_EMPTY = 5    // ends the answer: the line held no command
};

struct ctl_part {
	uint32_t type;   // enum ctl_part_type
	uint32_t size;   // bytes that follow
	uint32_t column; // CTL_ERROR of a line: where in it, from 1; else 0
};
