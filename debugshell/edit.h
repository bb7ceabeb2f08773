/*
 * Typing at a terminal: libedit, with the history of this session and completion by Tab. Where
 * there is no libedit the terminal's own editing of a line is all there is, and this is not
 * compiled.
 */
#pragma once

#include "debugshell/shell.h"

struct edit;

// NULL: the terminal cannot be edited on.
struct edit *edit_open(struct shell *sh);
void edit_close(struct edit *edit);

/**
 * Gives a line without its newline, which may be changed and is valid until the next call; empty
 * when Ctrl-C dropped what was typed. NULL: Ctrl-D, or the terminal is gone.
 */
char *edit_line(struct edit *edit, const char *prompt);
